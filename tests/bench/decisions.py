"""What a decision of the limiter costs beside those of other limiters: `python -m tests.bench.decisions`.

Run by tests.bench.limiter in an environment with PostgreSQL and Redis. Only `throttling.limiter` is called. A wrong
password is what is settled. The demands: five limits of a source on Redis cost at most 1.5 times what the fastest
peer takes for one, and the limiter on PostgreSQL less than axes' own handler.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from secure_auth import env
from tests.bench.inside import adopt_redis, refuse_fallback
from tests.bench.report import show_table
from tests.bench.rounds import THREADS, Cost, Subject, fastest, measure
from tests.bench.stock.limiters import AXES_DATABASE, caches_on, database_peers, redis_peers
from throttling import lanes, limiter
from throttling.limiter import claim
from throttling.reservations import Claim, Reservation

ON_REDIS, ON_DATABASE = 240, 48  # decisions a round
FIVE = ("requests", "password_source", "password_source_wide", "refresh", "mail_source")
ONE = ("requests",)
DEMANDED = 1.5
REDIS_OWNERS = "source:2001:db8:"


def owned(purposes: tuple[str, ...], owner: str) -> list[Claim]:
    return [claim(purpose, owner, member="someone") for purpose in purposes]


def on_redis(network: int, purposes: tuple[str, ...]) -> Callable[[int], Reservation]:
    """Reserve for a source, which Redis holds."""
    return lambda number: limiter.reserve(*owned(purposes, f"{REDIS_OWNERS}{network:x}:{number:x}::/64"))


def on_database(name: str, purposes: tuple[str, ...]) -> Callable[[int], Reservation]:
    """Reserve for an account, which the database holds."""
    return lambda number: limiter.reserve(*owned(purposes, f"account:{name}{number}"))


def settled(reserve: Callable[[int], Reservation]) -> Callable[[int], object]:
    return lambda number: limiter.settle(reserve(number), failed=True)


def password_step(network: int) -> Callable[[int], Reservation]:
    """The claims of a password from an unknown device."""

    def reserve(number: int) -> Reservation:
        ip = f"10.{network}.{number // 256}.{number % 256}"
        attempt = lanes.PasswordAttempt(f"{network}-{number}", ip)
        return limiter.reserve(*lanes.password_claims(attempt))

    return reserve


def on_sqlite(decide: Callable[[int], object]) -> Callable[[int], object]:
    """The same with SQLite as this thread's default database."""

    def decide_there(number: int) -> object:
        usual: Any = connections["default"]
        connections["default"] = connections["sqlite"]
        try:
            return decide(number)
        finally:
            connections["default"] = usual

    return decide_there


def ours_on_redis() -> list[Subject]:
    return [
        Subject("Redis: one limit", on_redis(1, ONE), ON_REDIS),
        Subject("Redis: five limits", on_redis(2, FIVE), ON_REDIS),
        Subject("Redis: five limits, settled", settled(on_redis(3, FIVE)), ON_REDIS),
    ]


def ours_on_databases() -> list[Subject]:
    without = lambda: override_settings(REDIS_URL="")  # noqa: E731
    return [
        Subject("PostgreSQL: one limit", on_database("one", ONE), ON_DATABASE),
        Subject("PostgreSQL: five limits", on_database("five", FIVE), ON_DATABASE),
        Subject("PostgreSQL: password step, settled", settled(password_step(1)), ON_DATABASE, without),
        Subject("PostgreSQL and Redis: password step, settled", settled(password_step(2)), ON_DATABASE),
        Subject("SQLite: one limit", on_sqlite(on_database("one", ONE)), ON_DATABASE),
        Subject("SQLite: five limits", on_sqlite(on_database("five", FIVE)), ON_DATABASE),
        Subject("SQLite: password step, settled", on_sqlite(settled(password_step(3))), ON_DATABASE, without),
    ]


def prepare() -> None:
    """Migrate both databases; SQLite becomes a second one of this process."""
    plain = {name: value for name, value in connections.settings["default"].items() if name != "OPTIONS"}
    connections.settings["sqlite"] = {**plain, **env.database("NO_DATABASE_URL", settings.DATA_DIR, 0)}
    for database in ("default", "sqlite"):
        call_command("migrate", "throttling", database=database, verbosity=0)
    call_command("migrate", "axes", verbosity=0)
    adopt_redis()


def rows(costs: dict[str, Cost], peers: list[str]) -> Iterator[list[object]]:
    """One line a subject; the last two cells are its times by the peer's."""
    best = fastest([costs[name] for name in peers])
    for name, cost in costs.items():
        peer = None if "SQLite" in name else costs[AXES_DATABASE] if "PostgreSQL" in name else best
        ratios = [f"{ratio:.2f}" for ratio in cost.by(peer)] if peer else [""] * 4
        figures = [f"{figure:.0f}" for figure in cost.figures()]
        yield [name, *figures, " / ".join(ratios[:2]).strip(" /"), " / ".join(ratios[2:]).strip(" /")]
    ratio = costs["Redis: five limits"].wall / best.wall
    yield ["five limits by the fastest peer's one", f"{ratio:.2f}", *verdict(ratio <= DEMANDED, "<= 1.5")]
    ours = [cost for name, cost in costs.items() if name.startswith("PostgreSQL:")]
    ratio = max(cost.wall / costs[AXES_DATABASE].wall for cost in ours)
    yield ["the dearest on PostgreSQL by axes'", f"{ratio:.2f}", *verdict(ratio < 1, "< 1")]


def verdict(holds: bool, demand: str) -> list[object]:
    return [f"demand {demand}: {'yes' if holds else 'NO'}", "", "", "", ""]


def main() -> None:
    prepare()
    with override_settings(CACHES=caches_on(settings.REDIS_URL), AXES_FAILURE_LIMIT=1000):
        peers = redis_peers(settings.REDIS_URL, ON_REDIS)
        costs = measure([*peers, *ours_on_redis(), *database_peers(ON_DATABASE), *ours_on_databases()])
    refuse_fallback(REDIS_OWNERS)
    head = ["decision", "wall us", "CPU us", f"{THREADS} threads: wall us", "CPU us"]
    head += ["by peer: wall / CPU", f"{THREADS} threads: wall / CPU"]
    show_table("Decisions of the limiter", head, rows(costs, [peer.name for peer in peers]))


if __name__ == "__main__":
    main()
