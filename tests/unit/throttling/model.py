"""The limiter as one would explain it: a history of counts, asked from the beginning each time.

``slack_ms`` 0 is the exact rolling window: what it refuses must be refused. With the slack of one slot it
is the most that the stores may keep a count beyond its window: what it allows must be allowed.
"""

from dataclasses import dataclass, field

from throttling.limits import Counts, Limit

TTL_MS = 30_000


@dataclass
class Model:
    limit: Limit
    counts: list[tuple[int, str]] = field(default_factory=list)
    flights: dict[int, tuple[int, str]] = field(default_factory=dict)
    locked_until: int = 0
    level: int = 0

    def settle_expired(self, now: int) -> None:
        for number, (until, member) in sorted(self.flights.items(), key=lambda flight: flight[1][0]):
            if until <= now:
                del self.flights[number]
                self.fail(until, member)

    def live(self, now: int, slack_ms: int) -> list[str]:
        keep_ms = (self.limit.window_seconds or self.limit.forget_seconds) * 1000
        if keep_ms and not self.limit.window_seconds:
            newest = max((time for time, _ in self.counts), default=0)
            return [member for _, member in self.counts] if newest + keep_ms + slack_ms > now else []
        return [member for time, member in self.counts if not keep_ms or time + keep_ms + slack_ms > now]

    def may(self, now: int, member: str, *, slack_ms: int, flights: bool = True) -> bool:
        members = self.live(now, slack_ms) + [name for _, name in self.flights.values() if flights]
        if self.limit.counts is Counts.DISTINCT_FAILURES:
            return self.locked_until <= now and len({*members, member}) <= self.limit.allowed
        return self.locked_until <= now and len(members) < self.limit.allowed

    def reserve(self, number: int, now: int, member: str) -> None:
        if self.limit.counts is Counts.ATTEMPTS:
            self.counts.append((now, str(number)))
        else:
            self.flights[number] = (now + TTL_MS, member)

    def settle(self, number: int, now: int, outcome: str) -> None:
        flight = self.flights.pop(number, None)
        if flight and outcome == "failed":
            self.fail(now, flight[1])
        if outcome == "released":
            self.counts = [(time, name) for time, name in self.counts if name != str(number)]

    def fail(self, now: int, member: str) -> None:
        if not self.live(now, 1):
            self.counts = []
            if self.locked_until + self.limit.forget_seconds * 1000 <= now:
                self.level = 0
        self.counts.append((now, member))
        if self.limit.lock_seconds and len(self.counts) >= self.limit.allowed:
            seconds = min(self.limit.lock_seconds * 2**self.level, self.limit.lock_max_seconds)
            self.locked_until, self.level, self.counts = now + seconds * 1000, self.level + 1, []

    def clear(self) -> None:
        self.counts, self.locked_until, self.level = [], 0, 0
