"""One node's clock is wrong by months: nothing ends, is destroyed or takes effect for all by that clock alone."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.evidence import live_sessions
from tests.attacks.resets import id_of, is_waiting, told
from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.server import Server, running_server

LONG_AGO = "2020-01-01 00:00:00+00:00"
DAYS = 100
BY_A_WRONG_CLOCK = """
import time
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from secure_auth import outbox, recovery, webhooks, worker
timezone.now = lambda now=timezone.now: now() + timedelta(days={days})
time.time = lambda now=time.time: now() + {days} * 86400
{call}
"""
WORK = "recovery.act_due(); worker.prune()"
TELL = """
import json
from django.test import RequestFactory
from secure_auth import metrics, startup
from secure_auth.web.probes import readyz
startup.prepare()
print(json.loads(readyz(RequestFactory().get("/readyz")).content)["warnings"])
print([line for line in metrics.expose().decode().splitlines() if line.startswith("secure_auth_clock_ahead_seconds ")])
"""
SOON = "UPDATE secure_auth_factorreset SET reminded_at = created_at, effective_at = now() + interval '1 hour'"
AGE = "SELECT extract(epoch FROM now() - {column}) FROM {table} WHERE {which}"


@pytest.fixture(scope="module")
def unled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service whose worker the tests play: beside the embedded database there is one clock."""
    directory: Path = tmp_path_factory.mktemp("clocks")
    environment = {"RESET_MFA_DELAY_SECONDS": "7200", "KEY_CACHE_SECONDS": "1"}
    with running_server("postgres", directory, worker=False, environment=environment) as server:
        yield server


@pytest.fixture
def visitor(unled: Server) -> Iterator[Client]:
    client = Client(unled, new_address())
    yield client
    client.close()


def act(server: Server, call: str, *, days: int) -> str:
    script = BY_A_WRONG_CLOCK.format(days=days, call=call)
    done = server.manage("shell", "--no-imports", "-c", script, check=False)
    return done.stdout + done.stderr


def reset(person: Person) -> str:
    return f"call_command('reset_mfa', {person.email!r}, reason='phone lost')"


def age_seconds(server: Server, column: str, table: str, which: str) -> float:
    return float(server.rows(AGE.format(column=column, table=table, which=which))[0][0])


def test_worker_that_is_ahead_destroys_no_key_and_deletes_no_session(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    unled.rows("UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", [LONG_AGO])
    unled.manage("rotate_keys")
    act(unled, WORK, days=DAYS)
    assert unled.rows("SELECT 1 FROM secure_auth_key WHERE state = 'retired' AND purpose = 'signing'")
    person.keep(expect(visitor.refresh(person.refresh), 200))


def test_worker_that_is_ahead_hastens_no_reset(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    user = id_of(visitor, person)
    unled.manage("reset_mfa", person.email, "--reason", "phone lost")
    unled.rows(f"{SOON} WHERE user_id = %s", [user])
    act(unled, WORK, days=DAYS)
    assert is_waiting(unled, user)
    assert told(unled, user) == [("reset_request", "by_command")]


def test_reset_asked_for_by_a_clock_that_is_behind_waits_as_long(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    user = id_of(visitor, person)
    assert "unless cancelled" in act(unled, reset(person), days=-DAYS)
    assert (
        -7200 <= age_seconds(unled, "effective_at", "secure_auth_factorreset", f"user_id = '{user}'") < -7000
    )


def test_sessions_ended_by_a_clock_that_is_ahead_are_ended_for_all(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    act(unled, f"call_command('revoke_sessions', {person.email!r}, reason='stolen')", days=DAYS)
    assert visitor.me(person.access).status_code == 401
    assert visitor.refresh(person.refresh).status_code == 401


def test_worker_that_is_ahead_erases_nobody_whose_requests_may_be_under_way(
    unled: Server, visitor: Client
) -> None:
    """What such a request appends afterwards would name its account for good."""
    person = visitor.create_person()
    user = id_of(visitor, person)
    expect(visitor.delete("me/", person.access, json={"current_password": person.password}), 204)
    unled.rows("UPDATE secure_auth_user SET disabled_at = now() + interval '1 minute' WHERE id = %s", [user])
    act(unled, "from secure_auth import erasure; erasure.finish_deletions()", days=DAYS)
    assert unled.rows("SELECT 1 FROM secure_auth_user WHERE id = %s", [user])


def waiting(server: Server, person: Person) -> int:
    sql = 'SELECT count(*) FROM secure_auth_outboxmessage WHERE sent_at IS NULL AND "to" = %s'
    return int(server.rows(sql, [person.email])[0][0])


def test_mail_of_a_node_that_is_ahead_is_sent_at_once(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    act(unled, "outbox.send_due()", days=0)
    act(unled, reset(person), days=DAYS)
    assert waiting(unled, person)
    act(unled, "outbox.send_due()", days=0)
    assert not waiting(unled, person)


def test_what_a_worker_that_was_ahead_put_off_is_tried_soon(unled: Server, visitor: Client) -> None:
    person = visitor.create_person()
    act(unled, reset(person), days=0)
    died = "next(outbox._claim(row) for row in outbox.list_unsent() if row.to == {!r})"
    act(unled, died.format(person.email), days=DAYS)
    unled.rows(
        "INSERT INTO audit_webhookmessage (id, endpoint, detection, body, queued_at, next_attempt_at, attempts, error)"
        " VALUES ('msg_1', 'x', 'y', '{}', now(), now() + interval '100 days', 1, '')"
    )
    act(unled, "outbox.send_due(); webhooks.send_due()", days=0)
    assert waiting(unled, person) == 1
    act(unled, "worker.prune(); outbox.send_due()", days=0)
    assert not waiting(unled, person)
    assert unled.rows("SELECT 1 FROM audit_webhookmessage WHERE next_attempt_at <= now() AND id = 'msg_1'")


def test_key_that_others_may_not_know_is_not_used_sooner_by_a_clock_that_is_ahead(unled: Server) -> None:
    unled.rows("UPDATE secure_auth_key SET created_at = now() WHERE state = 'next'")
    assert "too young" in act(unled, "call_command('rotate_keys')", days=DAYS)


def test_next_key_of_a_clock_that_is_behind_is_as_young_as_it_is(unled: Server) -> None:
    """Else the next rotation would sign with a key that other services do not have yet."""
    unled.rows("UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", [LONG_AGO])
    assert "active" in act(unled, "call_command('rotate_keys')", days=-1)
    assert "too young" in act(unled, "call_command('rotate_keys')", days=0)


@pytest.mark.parametrize("days", [-1, 1, 0])
def test_sessions_of_a_compromised_key_end_by_whatever_clock(
    unled: Server, visitor: Client, days: int
) -> None:
    """The last key was made active by a clock that was ahead."""
    time.sleep(1.2)  # until every worker knows the keys that the drill before has made
    person = visitor.create_person()
    user = id_of(visitor, person)
    ((kid,),) = unled.rows("SELECT kid FROM secure_auth_key WHERE purpose = 'signing' AND state = 'active'")
    assert f"{kid} is gone, " in act(unled, f"call_command('rotate_keys', compromised={kid!r})", days=days)
    assert live_sessions(unled, user) == set()


def test_key_retired_by_a_clock_that_is_behind_lives_as_long(unled: Server) -> None:
    unled.rows("UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", [LONG_AGO])
    assert "active" in act(unled, "call_command('rotate_keys')", days=-1)
    newest = "purpose = 'signing' ORDER BY retired_at DESC NULLS LAST LIMIT 1"
    assert age_seconds(unled, "retired_at", "secure_auth_key", newest) < 60


def test_lead_of_a_worker_that_died_before_the_database_clock_was_set_back_ends(unled: Server) -> None:
    """As by a fail-over to a standby whose clock is behind."""
    lease = "INSERT INTO secure_auth_lease VALUES ('worker', 'dead', clock_timestamp() + interval %s)"
    for ends, led in (("1 hour", True), ("4 seconds", False), ("-1 second", True)):
        unled.rows("DELETE FROM secure_auth_lease")
        unled.rows(lease.replace("%s", f"'{ends}'"))
        script = "from secure_auth.lead import Lead; print(Lead().renew())"
        assert unled.manage("shell", "--no-imports", "-c", script).stdout.split() == [str(led)]


def test_node_tells_that_its_clock_differs(unled: Server) -> None:
    for days, side in ((DAYS, "ahead of"), (-DAYS, "behind")):
        told = act(unled, TELL, days=days)
        assert "clock.differs" in told
        assert f"this node's clock is {DAYS * 86400} seconds {side} the database's" in told
        (seconds,) = re.findall(r"secure_auth_clock_ahead_seconds (\S+?)'", told)
        assert round(float(seconds)) == days * 86400


def test_node_whose_clock_is_in_step_warns_of_nothing(unled: Server) -> None:
    assert act(unled, TELL, days=0).splitlines() == ["[]", "['secure_auth_clock_ahead_seconds 0.0']"]
