"""Somebody whose password must be changed goes on by the pages as if it need not.

Attacker: has the password and a session of the account, perhaps by the very breach. Move: every page and form that asks
for a session, the console too. Refusal: each leads to /password/ and does nothing; what stays open is the change
itself, proving again, new recovery codes of an enrolment just made, and signing out.
"""

import tests.house.conftest  # noqa: F401 Django, to look at the views
from tests.attacks.visits import visiting
from tests.client import Client
from tests.house.test_routes import pages
from tests.server import Server

OPEN = {
    "/password/",
    "/reauthenticate/",
    "/reauthenticate/highest/",
    "/reauthenticate/passkey/",
    "/recovery-codes/",
    "/sign-out/",
}
NOBODY = "00000000-0000-7000-8000-000000000000"


def shut() -> list[tuple[str, str]]:
    """Method and path of every page that is for who is signed in, or who may enrol."""
    found = [("GET", "/")]
    for path, view in pages():
        if path not in OPEN and {"session", "grant"} & set(getattr(view, "asked", ())):
            filled = path.replace("/{}/{}/", f"/{NOBODY}/unlock/").replace("{}", NOBODY)
            found += [(method, filled) for method in view.methods]
    return found


def test_every_page_leads_to_the_change(server: Server, client: Client) -> None:
    person = client.create_person(role="admin")
    with visiting(server, person) as visitor:
        token = visitor.open("/password/").form("new_password").values["form_token"]
        server.manage("require_password_change", person.email)
        asked = shut()
        assert len(asked) > 40
        for method, path in asked:
            data = {"data": {"form_token": token}} if method == "POST" else {}
            answer = visitor.ask(method, path, **data)
            assert (answer.status, answer.headers.get("Location")) == (303, "/password/"), (method, path)
        assert visitor.open("/sign-in/").path == "/password/"
        assert visitor.open("/reauthenticate/").status == 200
        visitor.open("/")
        assert "must be changed" in visitor.page.text
        current = {"current_password": person.password}
        assert visitor.fill(**current, new_password=person.password).status == 400
        assert visitor.fill(**current, new_password="quite another phrase 77").path == "/"
        assert visitor.open("/console/people/").status == 200


def test_a_login_of_a_flagged_account_begins_there(server: Server, client: Client) -> None:
    person = client.create_person()
    server.manage("require_password_change", person.email)
    with visiting(server) as visitor:
        visitor.prove_password(person, then="/activity/")
        visitor.open("/sign-in/code/?with=recovery_code&next=/activity/")
        assert visitor.fill(code=person.recovery_codes.pop()).path == "/password/"
        visitor.press("/sign-out/")
        assert visitor.page.path == "/sign-in/"
