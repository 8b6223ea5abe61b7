"""What hung, could not be forked or was cut off comes back: a worker, a supervisor's child, a pool's connections."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.client import Client
from tests.conftest import new_address
from tests.faults.family import background_workers, children_of, name_of, web_workers
from tests.faults.outages import database_away
from tests.redis_processes import wait_until
from tests.server import INHERITED, ROOT, Server, running_server
from tests.services import require_programs

pytestmark = [
    pytest.mark.xdist_group("comes back"),
    pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="processes are found in /proc"),
]
POOL = 4
STRANGER = 54_321  # a user without processes of its own
# Reads what its user may not, as root does, and is bound by limits that do not bind root.
AS_STRANGER = (
    "setpriv", f"--reuid={STRANGER}", "--clear-groups", "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
)  # fmt: skip
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One web process with a small pool; a worker that is told to end has a second for it."""
    environment = {"SERVER_WORKERS": "1", "DATABASE_POOL_SIZE": str(POOL)}
    directory = tmp_path_factory.mktemp("back")
    with running_server("postgres", directory, nodes=0, environment=environment) as server:
        server.program = ("-m", "tests.faults.hastened")
        server.start_node()
        yield server


@contextlib.contextmanager
def locked(service: Server, table: str) -> Iterator[None]:
    """Whoever reads the table waits."""
    with psycopg.connect(service.environment["DATABASE_URL"]) as held:
        held.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        held.rollback()


@pytest.mark.postgres
def test_worker_that_hangs_is_ended_by_its_alarm_and_replaced(service: Server) -> None:
    (hung,) = background_workers(service.nodes[0])
    with locked(service, "secure_auth_lease"):
        wait_until(lambda: service.rows(WAITING)[0][0])
        os.kill(hung, signal.SIGTERM)
        wait_until(lambda: not name_of(hung), 5)
        ended = f"auth-worker process ended with status {-signal.SIGALRM};"
        wait_until(lambda: ended in service.logs(), 5)
    wait_until(lambda: background_workers(service.nodes[0]), 5)
    (fresh,) = background_workers(service.nodes[0])
    leads = "SELECT count(*) FROM secure_auth_lease WHERE holder LIKE %s AND expires_at > now()"
    wait_until(lambda: service.rows(leads, [f"%-{fresh}-%"])[0][0], 10)


@pytest.mark.postgres
def test_pool_has_its_size_again_soon_after_a_long_outage(service: Server) -> None:
    """The pool's own pauses between attempts double: after 8 s of outage it would try next after 12 to 16."""
    client = Client(service, new_address())
    access = client.create_person().access

    def is_full() -> bool:
        with ThreadPoolExecutor(POOL) as threads, locked(service, "secure_auth_session"):
            asking = [threads.submit(client.me, access) for _ in range(POOL)]
            with contextlib.suppress(AssertionError):
                wait_until(lambda: service.rows(WAITING)[0][0] == POOL or all(it.done() for it in asking), 3)
            return bool(service.rows(WAITING)[0][0] == POOL)

    assert is_full()
    with database_away(service):
        began = time.monotonic()
        client.me(access)
        time.sleep(max(0.0, began + 8 - time.monotonic()))
    wait_until(is_full, 3.5)
    client.close()


@contextlib.contextmanager
def supervised(log: Path) -> Iterator[int]:
    """A supervisor of two children whose user can be forbidden to fork; its process id."""
    if not os.getuid():
        require_programs("setpriv")
    command = [*([] if os.getuid() else AS_STRANGER), sys.executable, "-m", "tests.faults.supervised"]
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=output
        ) as process,
    ):
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n", log.read_text()
            yield process.pid
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


@contextlib.contextmanager
def forks_failing(pid: int) -> Iterator[None]:
    """Its user has as many processes as the supervisor is allowed to see."""
    os.kill(pid, signal.SIGUSR1)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGUSR2)


def test_failed_forks_are_tried_again_with_growing_pauses_and_leave_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def failures() -> list[float]:
        said = [line for line in log.read_text().splitlines() if "could not be forked" in line]
        return [float(line.split()[0]) for line in said]

    with supervised(log) as pid:
        wait_until(lambda: len(children_of(pid)) == 2)
        lost, other = children_of(pid)
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        time.sleep(0.6)  # they are steady now
        with forks_failing(pid):
            os.kill(lost, signal.SIGKILL)
            wait_until(lambda: len(failures()) == 2)
            assert children_of(pid) == [other]
        wait_until(lambda: len(children_of(pid)) == 2, 6)
        came_at = time.time()
        first, second = failures()
        assert 0.9 < second - first < 1.9
        assert came_at - second > 1.8
        assert "auth-one process could not be forked (Resource temporarily unavailable)" in log.read_text()
        assert other in children_of(pid)
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) == len(descriptors)


def test_web_worker_that_cannot_be_forked_takes_no_other_with_it(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, nodes=0, worker=False) as server:
        server.program = ("-m", "tests.faults.forkless")
        node = server.start_node("--no-worker")
        wait_until(lambda: len(web_workers(node)) == 2, 10)
        lost, other = web_workers(node)
        mark = server.data_dir / "no-forks"
        mark.touch()
        os.kill(lost, signal.SIGKILL)
        wait_until(lambda: "could not be forked" in server.written(), 10)
        with contextlib.closing(Client(server, new_address())) as client:
            for _ in range(3):
                assert client.get("/readyz").status_code == 200
        assert web_workers(node) == [other]
        mark.unlink()
        wait_until(lambda: len(web_workers(node)) == 2, 10)
        assert other in web_workers(node)
        assert "web worker could not be forked (Resource temporarily unavailable)" in server.written()
