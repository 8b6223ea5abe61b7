"""Inside a process of tests.bench.tracked: `fill LIMITS FIRST COUNT` tracks sources, `time` measures by the line.

A line on standard input is answered with the median latency of a decision over five limits, in microseconds.
"""

import statistics
import sys
import time

from tests.bench.inside import adopt_redis, refuse_fallback
from tests.bench.tracked import PURPOSES
from throttling import limiter
from throttling.address import source_owner

DECISIONS = 500
SOURCES = 500


def reserve(source: int, limits: int) -> None:
    """One decision over the first limits, for a source of its own (an IPv6 network, whose name is the longest)."""
    owner = source_owner(f"2001:db8:{source >> 16:x}:{source & 0xFFFF:x}::1")
    claims = [limiter.claim(purpose, owner, member=f"account{source}") for purpose in PURPOSES[:limits]]
    limiter.reserve(*claims)


def fill(limits: int, first: int, count: int) -> None:
    offset = (limits << 24) + first
    for number in range(count):
        reserve(offset + number, limits)


def answer_rounds() -> None:
    for _ in sys.stdin:
        took = []
        for number in range(DECISIONS):
            began = time.perf_counter()
            reserve(number % SOURCES, len(PURPOSES))
            took.append(time.perf_counter() - began)
        print(1e6 * statistics.median(took), flush=True)


if __name__ == "__main__":
    adopt_redis()
    if sys.argv[1] == "fill":
        fill(*map(int, sys.argv[2:]))
    else:
        answer_rounds()
    refuse_fallback("source:")
