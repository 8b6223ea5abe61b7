"""When a process takes PostgreSQL to be away, and when no longer."""

import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from secure_auth import env
from secure_auth.postgresql.base import Outage
from tests.services import postgres_url, require

NAMES = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")


class Pool:
    """As much of a pool as an outage looks at."""

    timeout = 0.0
    failures = 0

    def get_stats(self) -> dict[str, int]:
        return {"connections_errors": self.failures}


def test_who_asks_in_vain_does_not_undo_what_another_found() -> None:
    outage, pool = Outage(), Pool()
    anyhow: Any = pool

    def is_known() -> bool:
        """Whoever asks now waits for less than the pool lets them."""
        with outage.asking(anyhow, 5):
            return pool.timeout < 5

    with pytest.raises(PoolTimeout, match="in vain"), outage.asking(anyhow, 5):
        pool.failures += 1
        raise PoolTimeout("in vain")
    # one has waited since before it was known
    waiting = outage.asking(anyhow, 5)
    outage._is_known = False
    waiting.__enter__()
    outage._is_known = True
    with pytest.raises(PoolTimeout, match="in vain"), outage.asking(anyhow, 5):
        waiting.__exit__(None, None, None)  # and gets a connection, while this one gets none
        raise PoolTimeout("in vain")
    assert not is_known()


@pytest.mark.postgres
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such time limit")
@pytest.mark.parametrize(("asked", "milliseconds"), [("", 10_000), ("?tcp_user_timeout=2000", 2_000)])
def test_one_that_vanished_is_given_up_after_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, asked: str, milliseconds: int
) -> None:
    """Its machine or its network is gone, so it refuses nothing: each request would wait a quarter of an hour."""
    require("postgres")
    monkeypatch.setenv("DATABASE_URL", f"{postgres_url()}{asked}")
    options: Any = dict(env.database("DATABASE_URL", Path(), 1)["OPTIONS"])  # type: ignore[call-overload]
    options.pop("pool")
    with (
        psycopg.connect(postgres_url(), **options) as connection,
        socket.socket(fileno=socket.dup(connection.fileno())) as asked_of,
    ):
        found = {name: asked_of.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in NAMES}
    assert found == {
        "TCP_USER_TIMEOUT": milliseconds,
        "TCP_KEEPIDLE": 5,
        "TCP_KEEPINTVL": 2,
        "TCP_KEEPCNT": 3,
    }
