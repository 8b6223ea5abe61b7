"""PostgreSQL is away for a while, and many ask the service meanwhile.

Who comes while that is known is refused within about a second, so that a flood in an outage holds no threads; when it
is over, the first request says so. A database that is only busy is waited for as ever.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.attacks.volley import fire, statuses
from tests.client import Client, expect
from tests.conftest import new_address
from tests.faults.outages import Relay, database_away
from tests.redis_processes import wait_until
from tests.server import Server, running_server
from tests.services import private_database, require

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("database away")]
THREADS = 16


@contextmanager
def service(directory: Path, **environment: str) -> Iterator[tuple[Server, Client, Relay]]:
    """One process of few threads, whose PostgreSQL can also fall silent."""
    require("postgres")
    with private_database() as url, closing(Relay()) as relay:
        few = {"SERVER_WORKERS": "1", "SERVER_THREADS": str(THREADS), "LIMIT_REQUESTS": "6000/min"}
        few |= {"DATABASE_URL": relay.url(url), **environment}
        with (
            running_server("sqlite", directory, worker=False, environment=few) as server,
            closing(Client(server, new_address())) as client,
        ):
            yield server, client, relay


def ask_alone(server: Server, access: str) -> httpx.Response:
    """By a connection of its own: one pool of connections is not made for a hundred threads."""
    with closing(Client(server, new_address())) as client:
        return client.me(access)


def seconds_of(client: Client, access: str, status: int) -> float:
    began = time.monotonic()
    expect(client.me(access), status)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["refuses", "is silent"])
def test_requests_are_refused_soon_while_it_is_known_and_served_when_it_is_over(
    kind: str, tmp_path: Path
) -> None:
    with service(tmp_path) as (server, client, relay):
        access = client.create_person().access
        outage: AbstractContextManager[None] = database_away(server) if kind == "refuses" else relay.silence()
        with outage:
            first = [seconds_of(client, access, 503) for _ in range(2)]  # one may have had a dying connection
            later = [seconds_of(client, access, 503) for _ in range(3)]
            assert max(first) > 3, "a short fail-over is waited for"
            assert max(later) < 2.5

            began = time.monotonic()
            answers = fire([partial(ask_alone, server, access) for _ in range(8 * THREADS)])
            assert statuses(answers) == {503: 8 * THREADS}
            assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
            assert time.monotonic() - began < 10, "each alone would wait 5 s, so many at once 40 s"
        wait_until(lambda: client.me(access).status_code == 200, 3)
        assert statuses(fire([partial(ask_alone, server, access) for _ in range(THREADS)])) == {200: THREADS}


def test_busy_database_is_waited_for_as_ever(tmp_path: Path) -> None:
    with service(tmp_path, DATABASE_POOL_SIZE="1") as (server, client, _):
        access = client.create_person().access

        def ask(after_seconds: float) -> httpx.Response:
            time.sleep(after_seconds)
            return client.me(access)

        with ThreadPoolExecutor(4) as threads, psycopg.connect(server.environment["DATABASE_URL"]) as held:
            held.execute("LOCK TABLE secure_auth_session IN ACCESS EXCLUSIVE MODE")
            stuck, in_vain, patient, another = [threads.submit(ask, seconds) for seconds in (0, 0.5, 3, 6)]
            assert in_vain.result().status_code == 503  # it waited for the only connection
            time.sleep(1.5)
            held.rollback()
            assert [each.result().status_code for each in (stuck, patient, another)] == [200, 200, 200]
