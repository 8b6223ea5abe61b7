"""Somebody follows the link that begins their account in a browser in which another person is signed in.

Without a sign-out the enrolment would be that of who is signed in: the newcomer's app would open a stranger's account.
"""

from collections.abc import Callable

import pytest

from tests.authenticator import Mailbox
from tests.client import PASSWORD, Client, Person, expect, new_email
from tests.server import Server
from tests.visitor import Visitor


def register(server: Server, visitor: Visitor) -> tuple[Person, str]:
    person = Person(new_email("newcomer"))
    visitor.open("/sign-up/")
    visitor.fill(email=person.email, password=person.password)
    return person, Mailbox(server.data_dir / "outbox", person.email).wait_for_token()


def invite(server: Server, visitor: Visitor) -> tuple[Person, str]:
    person = Person(new_email("guest"))
    server.manage("invite", person.email)
    return person, Mailbox(server.data_dir / "outbox", person.email).wait_for_token()


@pytest.mark.parametrize(("path", "begin"), [("/confirm/", register), ("/invited/", invite)])
def test_a_newcomer_does_not_enrol_into_the_account_that_is_signed_in(
    path: str,
    begin: Callable[[Server, Visitor], tuple[Person, str]],
    server: Server,
    client: Client,
    new_visitor: Callable[..., Visitor],
) -> None:
    owner, shared = client.create_person(), new_visitor()
    shared.sign_in(owner)
    newcomer, token = begin(server, new_visitor())
    page = shared.open(path)
    assert (page.status, owner.email in page.text) == (200, True)
    mine = page.form_to("/sign-out/").values["form_token"]
    page = shared.ask("POST", path, data={"form_token": mine, "token": token, "password": PASSWORD})
    assert (page.status, page.headers["Location"], "__Host-login" in shared.cookies) == (303, path, False)
    held = expect(client.get("mfa/", owner.access), 200)["authenticators"]
    shared.open(path)
    shared.press("/sign-out/")
    shared.open(path)
    shared.fill(token=token, password=PASSWORD)
    shared.enrol(newcomer)
    assert newcomer.email in shared.open("/").text
    assert len(expect(client.get("mfa/", owner.access), 200)["authenticators"]) == len(held) == 1


def test_a_mailed_link_to_enrol_does_not_bind_to_the_account_that_is_signed_in(
    server: Server, client: Client, new_visitor: Callable[..., Visitor]
) -> None:
    owner, shared = client.create_person(), new_visitor()
    newcomer = client.create_person()
    server.manage("reset_mfa", newcomer.email)
    path = "/enrol/?mailed"  # where scripts lead who comes by the mail
    shared.sign_in(owner)
    page = shared.open(path)
    mine = page.form_to("/sign-out/").values["form_token"]
    answer = shared.ask("POST", path, data={"form_token": mine, "name": ""})
    assert (answer.status, answer.headers["Location"]) == (303, path)
    page = shared.open("/enrol/")
    assert page.form("name")  # by their own will they may
    assert f"It will open the account of {owner.email}." in page.text  # without scripts that has to do
    shared.open(path)
    shared.press("/sign-out/")
    shared.prove_password(newcomer)
    shared.open(path)
    assert "token" in shared.page.form("token").names


def test_no_page_to_enrol_opens_to_who_knows_the_password_of_an_account_with_a_factor(
    visitor: Visitor, client: Client
) -> None:
    person = client.create_person()
    for path in ("/enrol/", "/enrol/app/"):
        visitor.open("/sign-in/")
        assert visitor.fill(email=person.email, password=person.password).path == "/sign-in/code/"
        assert visitor.ask("GET", path).headers["Location"].startswith("/sign-in/")
