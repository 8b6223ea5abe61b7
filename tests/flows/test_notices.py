"""What the owner is told by mail of locks and of reused tokens: once, in words, and nobody else is told of anything."""

from collections.abc import Callable

from tests.authenticator import link_tokens, text_of
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

NewClient = Callable[..., Client]
LOCKED = "Wrong attempts at your account"


def queued(server: Server, address: str) -> list[str]:
    """The templates of all mails to an address, oldest first."""
    rows = server.rows(
        'SELECT template FROM secure_auth_outboxmessage WHERE "to" = %s ORDER BY id', [address]
    )
    return [row[0] for row in rows]


def lock(client: Client, person: Person) -> None:
    for _ in range(5):
        client.login(person, "a wrong passphrase")
    assert code_of(client.login(person)) == "temporarily_locked"


def test_owner_hears_of_a_lock_once_a_day(server: Server, new_client: NewClient) -> None:
    client, guesser, another = new_client(), new_client(), new_client()
    person = client.create_person()
    lock(guesser, person)
    (told,) = client.mailbox(person).wait_for_subject(LOCKED)
    text = text_of(told)
    assert f"Address: {guesser.address}" in text
    assert "from where they came; elsewhere you sign in as usual" in " ".join(text.split())
    assert not link_tokens(told)
    lock(another, person)
    assert queued(server, person.email) == ["authenticator_bound", "locked"]


def test_lock_of_an_unknown_account_mails_nobody(server: Server, client: Client) -> None:
    nobody = Person(new_email("nobody"))
    lock(client, nobody)
    assert queued(server, nobody.email) == []


def test_owner_hears_that_somebody_knows_the_password(server: Server, client: Client) -> None:
    person = client.create_person()
    assert person.authenticator
    for _ in range(2):
        partial = expect(client.login(person), 200)["partial_token"]
        for _ in range(5):
            client.verify(partial, person.authenticator.wrong_code())
    (told,) = client.mailbox(person).wait_for_subject(LOCKED)
    assert "somebody who knows your password" in text_of(told)
    assert queued(server, person.email).count("locked") == 1


def test_owner_hears_of_a_reused_token_once(server: Server, client: Client) -> None:
    person = client.create_person()
    old = person.refresh
    expect(client.refresh(old), 200)
    for _ in range(3):
        assert code_of(client.refresh(old)) == "invalid_token"
    (told,) = client.mailbox(person).wait_for_subject("A session at")
    assert f"Address: {client.address}" in text_of(told)
    assert queued(server, person.email) == ["authenticator_bound", "token_reuse"]
