"""`prune`: old events lose their bodies; entries and proofs stay, and the log says what was taken from it."""

import time
from collections.abc import Iterator

import pytest

from tests.ahead import run_ahead
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.dying import die_in
from tests.logs import entries_of, head_of, is_proved, recomputed_root, wait_for_entries
from tests.server import Server, running_server

PRUNE = ("prune", "--older-than", "1s", "--yes")
OLD = 1.1  # seconds
REMOVALS = "SELECT id FROM audit_event WHERE type IN ('audit.prune', 'audit.erase') ORDER BY id"
ERASURES = "SELECT id FROM audit_event WHERE type = 'audit.erase' ORDER BY id"
BY_ITSELF = """
from secure_auth import retention
from secure_auth.worker import Duty, attempt
{clock}
attempt(Duty("retention", retention.prune_due))
"""
LATER = """
from datetime import timedelta
from audit import clocks
clocks.earlier_now = lambda now=clocks.earlier_now: now() + timedelta(days=365, hours={hours})
"""
RETENTIONS = "SELECT count(*) FROM audit_event WHERE type = 'audit.prune' AND reason = 'retention'"
PROMISES = "SELECT id FROM audit_event WHERE type = 'audit.prune' ORDER BY id"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own: other tests want their events to stay."""
    directory = tmp_path_factory.mktemp(f"retention-{request.param}")
    with running_server(request.param, directory) as server:
        yield server


@pytest.fixture(scope="module")
def auditor(service: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(service, new_address())
    yield client, client.create_person(role="auditor")
    client.close()


def failed_login(client: Client, person: Person) -> str:
    """The id of an event that is an entry, and old enough."""
    client.login(Person(new_email()), "a wrong passphrase")
    page = expect(client.get("audit/events/?type=login.password&outcome=failure&limit=1", person.access), 200)
    wait_for_entries(client.server)
    time.sleep(OLD)
    return str(page["results"][0]["id"])


def bodies(server: Server, event: str) -> int:
    return int(server.rows("SELECT count(*) FROM audit_event WHERE id = %s", [event])[0][0])


def test_a_pruned_event_is_gone_and_its_proof_is_not(service: Server, auditor: tuple[Client, Person]) -> None:
    client, person = auditor
    event = failed_login(client, person)
    before = entries_of(service)
    done = service.manage(*PRUNE).stdout
    assert done.startswith("pruned: ")
    assert not done.startswith("pruned: 0 ")

    answer = client.get(f"audit/events/{event}/", person.access)
    assert (answer.status_code, code_of(answer)) == (410, "gone")
    proof = expect(client.get(f"audit/events/{event}/proof/", person.access), 200)
    assert (proof["event"], proof["openings"]) == (None, {})
    assert is_proved(proof)
    assert service.rows("SELECT count(*) FROM audit_personaldata WHERE event = %s", [event]) == [(0,)]
    page = expect(client.get("audit/events/?type=login.password", person.access), 200)
    assert event not in [one["id"] for one in page["results"]]

    wait_for_entries(service)
    assert entries_of(service)[: len(before)] == before
    assert recomputed_root(service) == head_of(service)
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    assert service.rows("SELECT count(*) FROM audit_event WHERE type = 'log.start'") == [(1,)]
    said = expect(client.get("audit/events/?type=audit.prune&limit=1", person.access), 200)["results"][0]
    assert (said["severity"], said["reason"]) == ("high", "by_command")
    assert said["details"]["events"] > 0


@pytest.mark.parametrize(
    "line",
    [
        "secure_auth.covering.integrate",  # the event is written
        "audit.removal.move_cutoff",  # it is an entry
    ],
)
def test_a_run_that_died_before_the_cutoff_is_followed_only_by_one_that_asks_for_as_much(
    service: Server, auditor: tuple[Client, Person], line: str
) -> None:
    client, person = auditor
    event = failed_login(client, person)
    before = set(service.rows(PROMISES))
    die_in(service, line, *PRUNE)
    wait_for_entries(service)
    assert service.manage("prune", "--older-than", "30d", "--yes").stdout.startswith("pruned: 0 ")
    assert bodies(service, event) == 1
    (promise,) = set(service.rows(PROMISES)) - before
    service.manage(*PRUNE)
    assert bodies(service, event) == 0
    assert promise in set(service.rows(PROMISES))


def test_a_run_that_died_after_the_cutoff_was_moved_is_finished_by_the_next(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    client, person = auditor
    event = failed_login(client, person)
    before = set(service.rows(PROMISES))
    die_in(service, "audit.removal._delete", *PRUNE)
    assert bodies(service, event) == 1
    (promise,) = set(service.rows(PROMISES)) - before
    service.manage("prune", "--older-than", "30d", "--yes")
    assert bodies(service, event) == 0
    assert set(service.rows(PROMISES)) - before == {promise}


def test_a_run_that_died_is_finished_though_a_clock_was_ahead_before(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    """The event of the pruning by that clock has the later id."""
    client, person = auditor
    failed_login(client, person)
    wait_for_entries(service)
    run_ahead(service, 3600, *PRUNE)
    event = failed_login(client, person)
    wait_for_entries(service)
    die_in(service, "audit.removal._delete", *PRUNE)
    assert bodies(service, event) == 1
    service.manage("prune", "--older-than", "30d", "--yes")
    assert bodies(service, event) == 0


def prune_by_itself(server: Server, clock: str = "") -> str:
    """The worker's turn, and what it says."""
    script = BY_ITSELF.format(clock=clock)
    done = server.manage("shell", "--no-imports", "-c", script, AUDIT_RETENTION_DAYS="300")
    return done.stdout + done.stderr


def test_by_itself_it_finishes_what_was_begun_but_not_while_the_log_does_not_go_on(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    event = failed_login(*auditor)
    die_in(service, "audit.removal._delete", *PRUNE)
    kept = service.data_dir / "checkpoint"
    note = kept.read_text()
    kept.write_text("nonsense\n")
    said = prune_by_itself(service)
    kept.write_text(note)
    assert bodies(service, event) == 1
    assert "holds no checkpoint" in said
    assert "Traceback" not in said
    prune_by_itself(service)
    assert bodies(service, event) == 0


def test_an_erasure_is_told_as_long_as_what_it_names_has_a_body(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    email = new_email()
    run_ahead(service, 60, "create_user", email, stdin=f"{PASSWORD}\n")
    wait_for_entries(service)
    service.manage("erase_user", email, "--reason", "asked for")
    event = failed_login(*auditor)
    erasures = service.rows(ERASURES)
    service.manage(*PRUNE)
    assert bodies(service, event) == 0
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    assert service.rows(ERASURES) == erasures


def test_what_was_not_covered_cannot_be_deleted(service: Server, auditor: tuple[Client, Person]) -> None:
    event = failed_login(*auditor)
    with pytest.raises(Exception, match="append-only"):
        service.rows("DELETE FROM audit_event WHERE id = %s", [event])


def test_a_wrong_age_is_refused(service: Server) -> None:
    for age in ("", "0d", "400", "1y", "10000000d"):
        done = service.manage("prune", f"--older-than={age}", "--yes", check=False)
        assert done.returncode, age
        assert "not an age such as 400d" in done.stderr


def test_without_yes_and_without_a_terminal_nothing_is_deleted(service: Server) -> None:
    before = service.rows("SELECT count(*) FROM audit_retention")
    done = service.manage("prune", "--older-than", "1s", check=False)
    assert done.returncode
    assert "Say --yes" in done.stderr
    assert service.rows("SELECT count(*) FROM audit_retention") == before


def test_what_was_refused_is_not_done_under_the_next_log(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    client, person = auditor
    event, somebody = failed_login(client, person), client.sign_up()
    before = service.rows(REMOVALS)
    (service.data_dir / "checkpoint").write_text("nonsense\n")
    for command in (PRUNE, ("erase_user", somebody.email, "--reason", "asked for")):
        done = service.manage(*command, check=False)
        assert done.returncode
        assert "the log does not go on" in done.stderr.splitlines()[-1]
    assert bodies(service, event) == 1
    assert client.me(somebody.access).status_code == 200
    assert service.rows(REMOVALS) == before
    service.manage("new_log", "--reason", "the checkpoint was lost")
    wait_for_entries(service)
    assert service.manage("prune", "--older-than", "400d", "--yes").stdout.startswith("pruned: 0 ")
    assert bodies(service, event) == 1
    service.manage(*PRUNE)
    assert bodies(service, event) == 0


def test_by_itself_it_takes_what_is_too_old_and_no_more_within_a_day(
    service: Server, auditor: tuple[Client, Person]
) -> None:
    """The last of these: its clock moves the cut-off far ahead."""
    event = failed_login(*auditor)
    prune_by_itself(service)
    assert bodies(service, event) == 1
    prune_by_itself(service, LATER.format(hours=0))
    assert bodies(service, event) == 0
    assert service.rows(RETENTIONS) == [(1,)]
    later = failed_login(*auditor)
    prune_by_itself(service, LATER.format(hours=23))
    assert bodies(service, later) == 1
    prune_by_itself(service, LATER.format(hours=25))
    assert bodies(service, later) == 0
    assert service.rows(RETENTIONS) == [(2,)]
