"""One of several processes that hammer the same limits: `python -m tests.unit.throttling.hammer JSON`.

Prints how many guesses were evaluated, and what went wrong.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from throttling import limiter  # noqa: E402
from throttling.limits import Counts, Limit  # noqa: E402
from throttling.reservations import Claim, LimitExceeded  # noqa: E402
from throttling.stores import servers  # noqa: E402

servers.TIMEOUT_SECONDS = 10.0  # a busy test machine is no outage

LIMITS = (
    Limit("password_account_source", 5, 0, Counts.FAILURES, 900, 86400, forget_seconds=86400),
    Limit("password_account", 100, 0, Counts.FAILURES),
    Limit("password_source", 30, 60, Counts.ATTEMPTS),
    Limit("spraying", 7, 600, Counts.DISTINCT_FAILURES),
    Limit("totp_account", 9, 900, Counts.FAILURES),
)
GROUPED = Limit("requests", 70, 600, Counts.ATTEMPTS)  # too large for a mark of each count's own


def guess(claims: list[Claim], counts: Counter[str], *, failed: bool, hold_seconds: float) -> None:
    """Guess as a use case does: reserve, compute, settle inside a transaction."""
    try:
        reservation = limiter.reserve(*claims)
    except LimitExceeded as refusal:
        counts["waited" if refusal.in_flight else "refused"] += 1
        return
    counts["evaluated"] += 1
    counts.update(f"evaluated {claim.owner} {claim.limit.purpose} {claim.member}" for claim in claims)
    time.sleep(hold_seconds)
    with transaction.atomic():
        limiter.settle(reservation, failed=failed)


def limits_of(plan: dict) -> Sequence[Limit]:
    if plan["grouped"]:
        return [GROUPED]
    return LIMITS if plan["all_limits"] else random.sample(LIMITS, random.randint(1, len(LIMITS)))


def work(plan: dict, counts: Counter[str]) -> None:
    try:
        for _ in range(plan["guesses"]):
            owners, member = (
                random.sample(plan["owners"], min(2, len(plan["owners"]))),
                f"m{random.randrange(40)}",
            )
            claims = [Claim(limit, random.choice(owners), member=member) for limit in limits_of(plan)]
            guess(claims, counts, failed=plan["failed"], hold_seconds=plan["hold_seconds"])
    except Exception as error:
        counts[f"error {type(error).__name__}: {error} {error.__cause__}"] += 1
    finally:
        connection.close()


def main() -> None:
    plan, counts = json.loads(sys.argv[1]), Counter[str]()
    threads = [threading.Thread(target=work, args=(plan, counts)) for _ in range(plan["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
