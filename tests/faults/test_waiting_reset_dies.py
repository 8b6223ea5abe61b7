"""The worker is killed while a reset of the second factors takes effect, or was away when its second mail was due."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.resets import ACT, ask, id_of, is_waiting, let_pass, told
from tests.client import Client, expect
from tests.conftest import new_address
from tests.dying import die_in
from tests.meanwhile import outcome
from tests.server import TESTED_BACKENDS, Server, running_server

DELAY = {"RESET_MFA_DELAY_SECONDS": "7200"}
MAILS = 'SELECT count(*) FROM secure_auth_outboxmessage WHERE "to" = %s AND template = %s'


@pytest.fixture(params=TESTED_BACKENDS)
def unled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A service whose worker the tests play."""
    environment = DELAY
    with running_server(request.param, tmp_path, worker=False, environment=environment) as server:
        yield server


@pytest.fixture
def visitor(unled: Server) -> Iterator[Client]:
    client = Client(unled, new_address())
    yield client
    client.close()


def act(server: Server) -> str:
    return server.manage("shell", "--no-imports", "-c", ACT).stdout.strip()


def mails(server: Server, email: str, template: str) -> int:
    return int(server.rows(MAILS, [email, template])[0][0])


@pytest.mark.parametrize("place", ["pending.bump_credentials", "recovery.end_everything", "recovery.append"])
def test_killed_worker_leaves_the_reset_whole_and_it_happens_once(
    unled: Server, visitor: Client, place: str
) -> None:
    person = visitor.create_person()
    user = id_of(visitor, person)
    ask(unled, person)
    let_pass(unled, user)
    die_in(unled, f"secure_auth.{place}", "shell", "--no-imports", "-c", ACT)
    assert is_waiting(unled, user)
    expect(visitor.me(person.access), 200)
    assert len(expect(visitor.get("mfa/", person.access), 200)["authenticators"]) == 1
    assert [act(unled), act(unled)] == ["1", "0"]
    assert told(unled, user) == [("reset_request", "by_command"), ("reset", "by_command")]
    assert mails(unled, person.email, "mfa_reset") == 1


def test_second_mail_of_a_worker_that_was_away_puts_the_effect_off(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    user = id_of(visitor, person)
    ask(unled, person)
    let_pass(unled, user, reminded=False)
    assert [act(unled), act(unled)] == ["1", "0"]
    assert is_waiting(unled, user)
    assert mails(unled, person.email, "mfa_reset_waiting") == 2
    expect(visitor.me(person.access), 200)


def test_two_workers_at_once_send_the_second_mail_once(unled: Server, visitor: Client) -> None:
    """Both saw that it is due; one of them was slower."""
    person = visitor.create_person()
    ask(unled, person)
    let_pass(unled, id_of(visitor, person), reminded=False)
    sent = outcome(
        unled,
        "recovery.act_due()",
        before="secure_auth.recovery._remind",
        meanwhile="go_on(*given, **named)",
        address=new_address(),
    )
    assert (sent, mails(unled, person.email, "mfa_reset_waiting")) == ("done", 2)
