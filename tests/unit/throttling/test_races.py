"""Exactness with real threads in several real processes, on every store."""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.commands import run_forked
from tests.conftest import scaled
from tests.server import LIBRARIES
from tests.unit.throttling.conftest import Store
from tests.unit.throttling.hammer import GROUPED, LIMITS
from throttling.inspection import status

PROCESSES = 4


def hammer(store: Store, owners: list[str], **plan: object) -> Counter[str]:
    """Run the plan in several processes at once and return the sum of what they saw."""
    plan = {
        "owners": owners,
        "threads": 8,
        "guesses": scaled(15, 60),
        "failed": True,
        "hold_seconds": 0.0,
        "grouped": False,
        **plan,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environment = {**inherited, **store.environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
    order = ["-m", "tests.unit.throttling.hammer", json.dumps(plan)]
    with ThreadPoolExecutor(PROCESSES) as threads:
        running = [
            threads.submit(run_forked, LIBRARIES, order, environment=environment) for _ in range(PROCESSES)
        ]
    counts: Counter[str] = Counter()
    for one in running:
        done = one.result()
        assert done.returncode == 0, done.stderr
        counts.update(json.loads(done.stdout))
    assert [name for name in counts if name.startswith("error")] == []
    return counts


def test_exactly_the_allowed_guesses_are_evaluated(store: Store) -> None:
    owner = store.owner()
    counts = hammer(store, [owner], all_limits=True, hold_seconds=0.002)
    assert counts["evaluated"] == 5
    assert counts["refused"] > 0
    assert {one.purpose for one in status(owner) if one.locked_until} == {"password_account_source"}


def test_rate_whose_counts_are_grouped_is_as_exact(store: Store) -> None:
    counts = hammer(store, [store.owner()], grouped=True)
    assert counts["evaluated"] == GROUPED.allowed
    assert counts["refused"] > 0


def test_many_limits_and_owners_stay_exact_without_deadlock(store: Store) -> None:
    owners = [store.owner() for _ in range(3)]
    counts = hammer(store, owners, all_limits=False)
    for owner in owners:
        for limit in LIMITS:
            evaluated = {
                name: n
                for name, n in counts.items()
                if name.startswith(f"evaluated {owner} {limit.purpose} ")
            }
            count = len(evaluated) if limit.purpose == "spraying" else sum(evaluated.values())
            assert count <= limit.allowed
    assert all(one.in_flight == 0 for owner in owners for one in status(owner))


def test_successes_leave_no_count(store: Store) -> None:
    owner = store.owner()
    counts = hammer(store, [owner], all_limits=True, failed=False)
    assert counts["evaluated"] == 30
    assert [one.purpose for one in status(owner)] == ["password_source"]
