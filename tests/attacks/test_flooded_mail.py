"""Somebody fills the queue of mails, so that links come when they are over and warnings when it is too late.

Attacker: an account, or strangers with many addresses. Move: whatever writes a mail to the own account, as fast as it
may be asked for; registrations of addresses that are nobody's; resets of such. Refusal: each recipient has a few mails
in turn, confirmations come after what only accounts get, and what is mailed to nobody stands in no line.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.volley import stream
from tests.client import Client, Person, expect, new_email
from tests.server import Server, running_server

MORE_THAN_A_BATCH = 60
SEND = ("shell", "--no-imports", "-c", "from secure_auth import outbox; outbox.send_due()")
WAITING = "SELECT count(*) FROM secure_auth_outboxmessage WHERE sent_at IS NULL"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def unsent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service whose mails wait until a test sends the next of them."""
    directory = tmp_path_factory.mktemp("unsent")
    environment = {"LIMIT_MAIL_SOURCE": "1000/h", "ARGON2_MEMORY_KIB": "8", "ARGON2_TIME_COST": "1"}
    with running_server(request.param, directory, worker=False, environment=environment) as server:
        yield server


def ask_as_owner(client: Client) -> Callable[[], int]:
    access = client.create_person().access
    return lambda: client.post("mfa/recovery-codes/", None, access).status_code


def register_nobody(client: Client) -> Callable[[], int]:
    return lambda: client.register(Person(new_email())).status_code


def reset_nobody(client: Client) -> Callable[[], int]:
    return lambda: client.post("password/reset/", {"email": new_email()}).status_code


@pytest.mark.parametrize("attack", [ask_as_owner, register_nobody, reset_nobody])
def test_link_of_somebody_else_is_among_the_next_to_go(
    unsent: Server, visit: Callable[..., Client], attack: Callable[[Client], Callable[[], int]]
) -> None:
    unsent.rows("DELETE FROM secure_auth_outboxmessage")
    client, flood = visit(unsent), visit(unsent)
    person, move = client.create_person(), attack(flood)
    assert set(stream([move] * MORE_THAN_A_BATCH, at_once=4)) <= {200, 202}
    expect(client.post("password/reset/", {"email": person.email}), 202)
    unsent.manage(*SEND)
    assert any("/reset/#token=" in str(message) for message in client.mailbox(person).messages())
    for _ in range(2):
        unsent.manage(*SEND)
    assert unsent.rows(WAITING) == [(0,)]
