"""The table of docs/sessions.md, "Refreshing", once more and by itself: it shares nothing with the service.

It keeps what the service need not: every key, and when each token was made. Seconds count from the login.
"""

from dataclasses import dataclass, field

SHORT_KEY = "short"
PAIR = "pair"


@dataclass(frozen=True)
class Expected:
    """What a request is answered, with which generation, and what the log says of it."""

    answer: str
    events: tuple[tuple[str, str], ...]
    generation: int = -1


def refused(reason: str, answer: str = "invalid_token") -> Expected:
    return Expected(answer, (("token.refused", reason),))


@dataclass
class Oracle:
    """One session, opened at second 0."""

    idle: int
    lifetime: int
    grace: int
    ended: bool = False
    made_by: list[str] = field(default_factory=lambda: [""])
    made_at: list[int] = field(default_factory=lambda: [0])

    @property
    def newest(self) -> int:
        return len(self.made_by) - 1

    def expires(self, generation: int) -> int:
        """When a token dies by itself; the session dies with its newest."""
        return min(self.made_at[generation] + self.idle, self.lifetime)

    def is_over(self, now: int) -> bool:
        return self.ended or now >= self.expires(self.newest)

    def present(self, generation: int, key: str | None, now: int) -> Expected:
        """The row of the table for a token of a generation that was issued."""
        if now >= self.expires(generation):
            return refused("malformed")
        if key == SHORT_KEY:
            return refused("weak_key", "invalid_token" if self.is_over(now) else "validation_failed")
        if self.is_over(now):
            return refused("session_ended")
        if generation == self.newest:
            return self._advance(key or "", now)
        maker = self.made_by[generation + 1]
        is_previous = generation == self.newest - 1
        if key and key == maker:
            return self._once_more() if is_previous else refused("superseded")
        if is_previous and not key and not maker and now - self.made_at[self.newest] < self.grace:
            return self._once_more()
        self.ended = True
        return Expected("invalid_token", (("token.reuse", "reused"), ("session.revoke", "token_reuse")))

    def _advance(self, key: str, now: int) -> Expected:
        if key and key == self.made_by[self.newest]:
            return refused("invalid_input", "validation_failed")
        self.made_by.append(key)
        self.made_at.append(now)
        return Expected(PAIR, (("token.refresh", ""),), self.newest)

    def _once_more(self) -> Expected:
        return Expected(PAIR, (("token.refresh", "replayed"),), self.newest)
