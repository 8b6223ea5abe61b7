"""Whoever registers somebody's address again and again does not take away the reset that opens the account's lock.

Attacker: knows an address, locks the account by wrong passwords, and uses up the mails that the address may get in an
hour. Expected: each of these mails resets the password, and goes to the account's own mailbox, whatever was typed.
"""

from collections.abc import Callable

from tests.attacks.evidence import events
from tests.client import Client, Person, expect
from tests.server import Server

LONG_S = "\u017f"  # folds to s
NEW_PASSWORD = "three fresh words 93"


def test_mails_of_registrations_reset_the_password(new_client: Callable[..., Client], server: Server) -> None:
    owner = new_client()
    person = owner.sign_up()
    mailbox = owner.mailbox(person)
    links = len(mailbox.tokens())
    for _ in range(4):
        expect(new_client().register(Person(person.email, "another password 12")), 202)
    expect(owner.post("password/reset/", {"email": person.email}), 202)
    mailbox.wait_for(links + 2)
    tokens = mailbox.tokens()
    assert len(tokens) == links + 2  # the first of three in this hour was the owner's own
    for token in tokens[links:][:1]:
        body = {"token": token, "new_password": NEW_PASSWORD}
        assert owner.post("password/reset/confirm/", body).status_code == 204
    assert expect(owner.login(person, NEW_PASSWORD), 200)["next"] == "verify"
    assert events(server, type="password.reset", outcome="success")


def test_mail_goes_to_the_account_not_to_what_was_typed(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    twin = Person(person.email.replace("s", LONG_S, 1), "another password 12")
    before = len(owner.mailbox(person).tokens())
    expect(new_client().register(twin), 202)
    told = owner.mailbox(person).wait_for(before + 1)
    assert {str(message["To"]) for message in told} == {person.email}
