"""Redis stops, hangs, crawls, is emptied or comes back empty, again and again, while somebody spends a limit.

Whatever happens, requests are answered, each limit is granted at most twice in a window, the log says which store
decided, and locks of accounts are as they were: they never stood in Redis.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import fire
from tests.client import Client, code_of, expect
from tests.conftest import new_address, scaled
from tests.faults.outages import database_away
from tests.redis_processes import RedisProcess, one_redis, wait_until
from tests.server import Server, running_server
from tests.services import believe, private_database, require

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("redis-dies")]
ALLOWED = 20
FLIPS = scaled(3, 10)
Fault = Callable[[RedisProcess], None]


@contextmanager
def service(redis: RedisProcess, directory: Path, **environment: str) -> Iterator[Server]:
    """Two worker processes over PostgreSQL and a Redis of their own that has been counting for long."""
    require("postgres")
    believe(redis.client())
    with private_database() as url:
        urls = {"DATABASE_URL": url, "REDIS_URL": redis.url, "LIMIT_REQUESTS": f"{ALLOWED}/min"}
        urls["REDIS_TIMEOUT_MILLISECONDS"] = "80"
        with running_server("sqlite", directory, worker=False, environment={**urls, **environment}) as server:
            yield server


@contextmanager
def service_that_knows(redis: RedisProcess, directory: Path) -> Iterator[Server]:
    """As above, each process with a connection to the server that it began with; no late answer is an outage."""

    def connections() -> int:
        with redis.client() as own:
            return len(own.client_list()) - 1

    with service(redis, directory, REDIS_TIMEOUT_MILLISECONDS="3000") as server:
        wait_until(lambda: connections() == 2)
        yield server


def answered(client: Client, requests: int) -> int:
    """How many of so many requests at once were not refused; each other one is a proper 429."""
    answers = fire([partial(client.get, "me/") for _ in range(requests)])
    assert {answer.status_code for answer in answers} <= {401, 429}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 429)
    return sum(answer.status_code == 401 for answer in answers)


def stop(redis: RedisProcess) -> None:
    redis.stop()


def pause(redis: RedisProcess) -> None:
    redis.signal(signal.SIGSTOP)


def slow_down(redis: RedisProcess) -> None:
    redis.client().execute_command("CLIENT", "PAUSE", "3000", "ALL")


def empty(redis: RedisProcess) -> None:
    redis.client().flushall()


def restart(redis: RedisProcess) -> None:
    redis.stop()
    redis.start()


@pytest.mark.parametrize("fault", [stop, pause, slow_down, empty, restart])
def test_limit_is_granted_once_more_at_most_when_redis_fails(tmp_path: Path, fault: Fault) -> None:
    with one_redis(tmp_path) as redis, service(redis, tmp_path) as server:
        client = Client(server, new_address())
        before = answered(client, ALLOWED // 2)
        assert before == ALLOWED // 2
        fault(redis)
        after = answered(client, 3 * ALLOWED)
        assert ALLOWED // 2 <= after <= ALLOWED + ALLOWED // 2, "neither no limit nor no service"
        assert answered(client, ALLOWED) == 0 or before + after < 2 * ALLOWED
        stores = [event.details["store"] for event in events(server, type="limit.store")]
        assert stores[:1] == ["database"]
        client.close()


def evict(redis: RedisProcess) -> None:
    """It will drop keys to make room from now on, and says so to whoever connects."""
    client = redis.client()
    client.config_set("maxmemory-policy", "volatile-lru")
    client.config_set("maxmemory", 64 * 1024**2)
    client.client_kill_filter(_type="normal")


def test_redis_that_evicts_keys_is_not_used(tmp_path: Path) -> None:
    with one_redis(tmp_path) as redis, service(redis, tmp_path) as server:
        evict(redis)
        client = Client(server, new_address())
        assert answered(client, ALLOWED) == ALLOWED
        assert not used_keys(redis, client) or all(b":since" in key for key in used_keys(redis, client))
        assert client.get("/readyz").json()["checks"]["redis"] == "away"
        client.close()


def test_servers_that_take_turns_behind_one_address_grant_one_further_allowance_at_most(
    tmp_path: Path,
) -> None:
    """Each of them has been counting for long, none has lost anything."""
    with one_redis(tmp_path) as redis, service_that_knows(redis, tmp_path) as server:
        client = Client(server, new_address())
        total = answered(client, ALLOWED)
        for _ in range(3):
            redis.stop()
            redis.start()
            believe(redis.client())
            total += answered(client, ALLOWED)
        assert ALLOWED <= total <= 2 * ALLOWED
        client.close()


def test_flapping_redis_grants_one_further_allowance_at_most(tmp_path: Path) -> None:
    with one_redis(tmp_path) as redis, service_that_knows(redis, tmp_path) as server:
        client = Client(server, new_address())
        total = answered(client, ALLOWED)
        assert total == ALLOWED
        for number in range(FLIPS):
            redis.stop()
            total += answered(client, ALLOWED)
            redis.start()
            if number % 2:
                believe(redis.client())  # a liar: empty, and it says that it has been counting for long
            total += answered(client, ALLOWED)
        assert ALLOWED <= total <= 2 * ALLOWED
        client.close()


def test_lock_of_an_account_outlives_an_emptied_redis(tmp_path: Path) -> None:
    with one_redis(tmp_path) as redis, service(redis, tmp_path, LIMIT_REQUESTS="600/min") as server:
        client = Client(server, new_address())
        person = client.create_person()
        for _ in range(5):
            expect(client.login(person, "wrong"), 401)
        assert code_of(client.login(person)) == "temporarily_locked"
        empty(redis)
        assert code_of(client.login(person)) == "temporarily_locked"
        stop(redis)
        assert code_of(client.login(person)) == "temporarily_locked"
        client.close()


def test_readiness_tells_of_a_redis_that_is_away_and_stays_ready(tmp_path: Path) -> None:
    with one_redis(tmp_path) as redis, service(redis, tmp_path) as server:
        client = Client(server, new_address())
        assert client.get("/readyz").json()["checks"]["redis"] == "ok"
        stop(redis)
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["checks"] == {"database": "ok", "redis": "away"}
        client.close()


def test_service_returns_to_redis_once_a_window_has_passed(tmp_path: Path) -> None:
    short = {f"LIMIT_{name}": f"{ALLOWED}/2" for name in ("REQUESTS", "PASSWORD_SOURCE", "REFRESH")}
    short["LIMIT_PASSWORD_SOURCE_WIDE"] = "300/2"
    with one_redis(tmp_path) as redis, service(redis, tmp_path, **short) as server:
        client = Client(server, new_address())
        restart(redis)
        answered(client, 2)
        wait_until(lambda: any(b"source" in key for key in used_keys(redis, client)))
        stores = [event.details["store"] for event in events(server, type="limit.store")]
        assert stores[0] == "database"
        assert stores[-1] == "redis"
        client.close()


def used_keys(redis: RedisProcess, client: Client) -> list[bytes]:
    client.get("me/")
    return list(redis.client().scan_iter("limit:*"))


def test_both_stores_away_is_503_and_nothing_is_evaluated(tmp_path: Path) -> None:
    with one_redis(tmp_path) as redis, service(redis, tmp_path) as server:
        client = Client(server, new_address())
        person = client.create_person()
        stop(redis)
        with database_away(server):
            answer = client.login(person)
            assert code_of(answer) == "service_unavailable"
            assert int(answer.headers["Retry-After"]) >= 1
            assert client.get("/readyz").status_code == 503
        wait_until(lambda: client.get("/readyz").status_code == 200)
        expect(client.login(person), 200)
        client.close()
