"""When a process takes PostgreSQL to be away, and when no longer."""

from typing import Any

import pytest
from psycopg_pool import PoolTimeout

from secure_auth.postgresql.base import Outage


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
