"""Whoever registers somebody's address again and again does not take away the reset that opens the account's lock.

Attacker: knows an address, locks the account by wrong passwords, and uses up the mails that the address may get in an
hour. Expected: each of these mails resets the password, and goes to the account's own mailbox, whatever was typed.
"""

from collections.abc import Callable

from django.conf import settings

from tests.attacks.evidence import events
from tests.authenticator import Mailbox
from tests.client import Client, Person, expect, new_email
from tests.redis_processes import wait_until
from tests.server import Server

LONG_S = "\u017f"  # folds to s
NEW_PASSWORD = "three fresh words 93"


def owned_mailbox(owner: Client) -> tuple[Client, Person, Mailbox, int]:
    """Somebody with an account, their mailbox, and how many links came to it so far."""
    person = owner.sign_up()
    mailbox = owner.mailbox(person)
    return owner, person, mailbox, len(mailbox.tokens())


def test_mails_of_registrations_reset_the_password(new_client: Callable[..., Client], server: Server) -> None:
    owner, person, mailbox, links = owned_mailbox(new_client())
    for _ in range(4):
        expect(new_client().register(Person(person.email, "another password 12")), 202)
    expect(owner.post("password/reset/", {"email": person.email}), 202)
    # The first of three in this hour was the owner's own. A mail of another kind may come before the last of these.
    wait_until(lambda: len(mailbox.tokens()) >= links + 2)
    tokens = mailbox.tokens()
    assert len(tokens) == links + 2
    body = {"token": tokens[links], "new_password": NEW_PASSWORD}
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


def want(stranger: Client, person: Person, address: str) -> None:
    """Ask for an address for one's own account."""
    body = {"current_password": person.password, "new_email": address}
    expect(stranger.post("email/change/", body, person.access), 202)


def test_mails_of_who_wants_the_address_reset_the_password(
    new_client: Callable[..., Client],
) -> None:
    owner, person, mailbox, links = owned_mailbox(new_client())
    stranger = new_client()
    other = stranger.create_person()
    for _ in range(2):
        want(stranger, other, person.email)
    wait_until(lambda: len(mailbox.tokens()) == links + 2)
    token = mailbox.tokens()[-1]
    body = {"token": token, "new_password": NEW_PASSWORD}
    assert owner.post("password/reset/confirm/", body).status_code == 204
    assert expect(owner.login(person, NEW_PASSWORD), 200)["next"] == "verify"


def test_mails_that_are_not_sent_use_nothing_up(new_client: Callable[..., Client]) -> None:
    """The stranger's own address has no mail left, so that nobody is mailed of his changes."""
    owner, person, mailbox, links = owned_mailbox(new_client())
    stranger = new_client()
    other = stranger.create_person()
    for _ in range(3):
        want(stranger, other, new_email())
    for _ in range(2):
        want(new_client(), other, person.email)
    expect(owner.post("password/reset/", {"email": person.email}), 202)
    wait_until(lambda: len(mailbox.tokens()) == links + 1)


def test_one_of_the_mails_that_used_up_the_hour_still_works() -> None:
    """Else three mails at once would leave the owner none that works until the hour is over."""
    window = settings.LIMITS["mail_address"].window_seconds
    assert window <= settings.RESET_LINK_SECONDS
    assert window <= settings.ENROLMENT_LINK_SECONDS
