"""Somebody fills the tables by wrong passwords for addresses that he invents.

Attacker: no account, many addresses of his own making. Move: one wrong password for each; the cap of 100 never ages, so
that each would leave a row for ever. Refusal: where an address has no account its counts are forgotten after 90 days
without a failure. Those of an account never are, and answers do not tell the two apart.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.client import Client, Person, expect, new_email
from tests.server import Server

ROWS = "SELECT owner, expires_at FROM throttling_bucket WHERE purpose = 'password_account'"
AGE = timedelta(days=91)


def counts(server: Server) -> dict[str, bool]:
    """By account, whether its count is forgotten some day."""
    return {owner: _moment(expires_at) < datetime.now(UTC) + AGE for owner, expires_at in server.rows(ROWS)}


def _moment(value: datetime | str) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def count_of_a_wrong_password(server: Server, client: Client, person: Person) -> tuple[str, bool]:
    """Of whom it counts, and whether that is forgotten some day."""
    before = counts(server)
    answer = client.login(person, "wrong")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    ((owner, is_forgotten),) = counts(server).items() - before.items()
    return owner, is_forgotten


def test_count_of_an_address_without_an_account_is_forgotten(
    server: Server, new_client: Callable[..., Client]
) -> None:
    nobody = Person(new_email("nobody"))
    owner, is_forgotten = count_of_a_wrong_password(server, new_client(), nobody)
    assert is_forgotten

    server.create_user(nobody.email, nobody.password)
    assert count_of_a_wrong_password(server, new_client(), nobody) == (owner, False)


def test_count_of_an_account_never_is(server: Server, new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    _, is_forgotten = count_of_a_wrong_password(server, new_client(), person)
    assert not is_forgotten
    expect(client.login(person), 200)
