"""Somebody at an open browser ends its owner's account, moves it to their own mailbox, or copies its data.

Attacker: has the owner's session, on an unlocked machine or by its cookie. Move: the forms of the address, of the data
and of the deletion without the password, without the address, long after the second factor, from another site. Refusal:
the account stays as it was, the owner's session too; wrong passwords count.
"""

import pytest

from tests.attacks.visits import visiting
from tests.client import Client, Person, expect
from tests.server import Server
from tests.visitor import Visitor

STALE = "UPDATE secure_auth_session SET auth_time = '2026-01-01 00:00:00+00:00' WHERE user_id = %s"
FORMS = ("/account/delete/", "/account/data/", "/address/change/")


def user_of(server: Server, person: Person) -> str:
    return str(server.rows("SELECT id FROM secure_auth_user WHERE email = %s", [person.email])[0][0])


def test_no_deletion_without_the_password_and_the_address(server: Server, client: Client) -> None:
    person = client.create_person()
    with visiting(server, person) as visitor:
        visitor.open("/account/delete/")
        assert visitor.fill(email="somebody@example.org", current_password=person.password).status == 400
        assert visitor.fill(email=person.email, current_password="").status == 400
        assert visitor.fill(email=person.email, current_password="a wrong passphrase").status == 401
        assert visitor.is_signed_in
        expect(client.login(person), 200)
        visitor.open("/account/delete/")
        assert visitor.fill(email=person.email.upper(), current_password=person.password).path == "/sign-in/"
        assert "is deleted" in visitor.page.text
        assert visitor.open("/activity/").path == "/sign-in/"
        assert client.login(person).status_code == 401


def test_no_other_address_without_the_password(server: Server, client: Client) -> None:
    person = client.create_person()
    mine = f"thief-of-{person.email}"
    with visiting(server, person) as visitor:
        visitor.open("/address/change/")
        assert visitor.fill(new_email=mine, current_password="a wrong passphrase").status == 401
        assert visitor.fill(new_email="no address", current_password=person.password).status == 400
        assert visitor.fill(new_email=person.email, current_password=person.password).status == 400
        assert server.rows("SELECT count(*) FROM secure_auth_addresschange WHERE email = %s", [mine]) == [
            (0,)
        ]
        assert visitor.fill(new_email=mine, current_password=person.password).path == "/"
    assert server.rows("SELECT count(*) FROM secure_auth_addresschange WHERE email = %s", [mine]) == [(1,)]
    assert server.rows("SELECT count(*) FROM secure_auth_user WHERE email = %s", [mine]) == [(0,)]


@pytest.mark.parametrize("path", FORMS)
def test_each_asks_for_a_fresh_factor_and_for_its_own_form(server: Server, client: Client, path: str) -> None:
    person = client.create_person()
    with visiting(server, person) as visitor:
        assert forged(visitor, path) == 403
        server.rows(STALE, [user_of(server, person)])
        answer = visitor.ask("GET", path)
        assert (answer.status, answer.headers["Location"].partition("?")[0]) == (303, "/reauthenticate/")
    expect(client.login(person), 200)


def forged(visitor: Visitor, path: str) -> int:
    """The form of another site."""
    return visitor.ask("POST", path, data={"form_token": "forged"}).status


def test_a_copy_of_the_data_holds_no_secret_and_is_no_page(server: Server, client: Client) -> None:
    person = client.create_person()
    with visiting(server, person) as visitor:
        handle = visitor.cookies["__Host-web"]
        visitor.open("/account/data/")
        told = visitor.press("")
        assert told.headers["Content-Type"] == "application/json"
        assert told.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
        assert told.headers["Cache-Control"] == "no-store"
        body = told.response.json()
        assert body["account"]["email"] == person.email
        assert [one["current"] for one in body["sessions"]].count(True) == 1
        assert handle not in told.response.text
        visitor.open("/account/data/")
        assert visitor.press("").status == 429
