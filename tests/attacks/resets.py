"""Resets of the second factors that wait."""

from tests.attacks.evidence import events
from tests.attacks.mails import wait_for_link
from tests.client import Client, Person, code_of, expect
from tests.server import Server

ASKED, PAST = "2025-12-31 22:00:00+00:00", "2026-01-01 00:00:00+00:00"
OPEN = "settled_at IS NULL AND user_id = %s"
ACT = "from secure_auth import recovery; print(recovery.act_due())"


def id_of(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def ask(server: Server, person: Person) -> str:
    """Ask by command; what it said."""
    return server.manage("reset_mfa", person.email, "--reason", "phone lost").stdout.strip()


def cancel(client: Client, token: str) -> str:
    answer = client.post("mfa/reset/cancel/", {"token": token})
    return "cancelled" if answer.is_success else code_of(answer)


def newest_link(client: Client, person: Person) -> str:
    return wait_for_link(client, person, "cancel-reset")


def let_pass(server: Server, user: str, *, reminded: bool = True) -> None:
    """Make the reset of an account look as if its time had come, the second mail sent or not."""
    mail = f"reminded_at = '{PAST}', " if reminded else ""
    server.rows(
        f"UPDATE secure_auth_factorreset SET {mail}created_at = %s, remind_at = %s, effective_at = %s WHERE {OPEN}",
        [ASKED, PAST, PAST, user],
    )


def is_waiting(server: Server, user: str) -> bool:
    return bool(server.rows(f"SELECT 1 FROM secure_auth_factorreset WHERE {OPEN}", [user]))


def told(server: Server, user: str) -> list[tuple[str, str]]:
    """Type and reason of what the log says of the resets of an account, oldest first."""
    kinds = ("mfa.reset_request", "mfa.reset_cancel", "mfa.reset")
    return [
        (event.type.removeprefix("mfa."), event.reason)
        for event in events(server, user=user)
        if event.type in kinds
    ]
