"""Sentinels that promote a replica, and a cluster that loses a master: real processes, real fail-over."""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import answered
from tests.conftest import new_address
from tests.redis_processes import RedisProcess, cluster, sentinels, wait_until
from tests.server import Server, running_server
from tests.services import private_database, require

pytestmark = [pytest.mark.long, pytest.mark.postgres, pytest.mark.xdist_group("redis-dies")]
ALLOWED, WINDOW_SECONDS = 20, 4
LIMITS = {
    f"LIMIT_{name}": f"{ALLOWED}/{WINDOW_SECONDS}"
    for name in ("REQUESTS", "PASSWORD_SOURCE", "PASSWORD_SOURCE_WIDE", "REFRESH")
}


def service(url: str, database: str, directory: Path) -> AbstractContextManager[Server]:
    return running_server(
        "sqlite",
        directory,
        environment={
            "DATABASE_URL": database,
            "REDIS_URL": url,
            "REDIS_TIMEOUT_MILLISECONDS": "80",
            **LIMITS,
        },
    )


def counts_in(redis: RedisProcess, server: Server) -> bool:
    """Whether requests from new sources leave their counts in this server."""
    for _ in range(8):
        answered(server, new_address(), 1)
    return any(b"source:" in key for key in redis.client().scan_iter("limit:*"))


def test_promoted_replica_is_believed_after_a_window_and_no_limit_is_granted_thrice(tmp_path: Path) -> None:
    require("postgres")
    with (
        sentinels(tmp_path) as (url, (master, replica)),
        private_database() as database,
        service(url, database, tmp_path) as server,
    ):
        wait_until(lambda: counts_in(master, server))
        wait_until(lambda: answered(server, new_address(), 2 * ALLOWED) == ALLOWED)
        address = new_address()
        total = answered(server, address, 2 * ALLOWED)
        master.stop()
        total += answered(server, address, 2 * ALLOWED)
        assert total <= 2 * ALLOWED
        wait_until(lambda: replica.client().info("replication")["role"] == "master")
        replica.client().flushall()  # all that it had not received yet
        wait_until(lambda: counts_in(replica, server), 60)
        wait_until(lambda: answered(server, new_address(), 2 * ALLOWED) == ALLOWED)
        assert "database" in {event.details["store"] for event in events(server, type="limit.store")}


def test_cluster_spreads_owners_over_its_masters_and_a_lost_master_hands_over_to_the_database(
    tmp_path: Path,
) -> None:
    require("postgres")
    with (
        cluster(tmp_path) as (url, masters),
        private_database() as database,
        service(url, database, tmp_path) as server,
    ):
        for master in masters:
            wait_until(partial(counts_in, master, server), 60)
        wait_until(lambda: answered(server, new_address(), 2 * ALLOWED) == ALLOWED)
        masters[0].stop()
        addresses = [new_address() for _ in range(12)]
        for address in addresses:
            assert ALLOWED <= answered(server, address, 2 * ALLOWED) <= 2 * ALLOWED
        assert "database" in {event.details["store"] for event in events(server, type="limit.store")}
