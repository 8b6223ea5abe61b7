"""The auditor: an account with a role and a second factor of its own, who reads what the log says of the journey."""

from secure_auth.demo.client import Client
from secure_auth.demo.journey import Person, create_account, enrol
from secure_auth.demo.stage import Stage

MOST_EVENTS = 200


def show_evidence(auditor: Person, run: str, stage: Stage) -> None:
    """Sign the auditor in over HTTP and print the audit trail of this run."""
    stage.chapter("The evidence")
    stage.step(
        "An auditor signs in",
        "An operator makes the account with `create_user --role auditor`. Auditors pass the same two steps as "
        "everybody; there is no other door.",
    )
    create_account(auditor, role="auditor")
    client = Client("auditor", "audit", stage.exchange)
    body = {"email": auditor.email, "password": auditor.password}
    partial = client.send("POST", "login/", body).body["partial_token"]
    enrol(client, auditor, partial, stage)
    stage.step(
        "Read the log",
        "Each action and each refusal above left an event, written in the same transaction as what it reports; a "
        "flood of equal refusals is counted. The database refuses to change or delete events.",
    )
    path = f"audit/events/?q={run}&limit={MOST_EVENTS}"
    answer = client.send("GET", path, token=auditor.access)
    stage.trail(answer.body["results"][::-1])
    client.send("POST", "logout/", token=auditor.access, expect=204, told=False)
