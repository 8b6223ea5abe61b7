"""Random histories of one session, with tabs, a thief, a bad network and time, judged by docs/sessions.md."""

from dataclasses import dataclass

from django.conf import settings as service
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audit.models import Event
from secure_auth import sessions
from tests.attacks.evidence import claims
from tests.conftest import scaled
from tests.models.conftest import Answer, Clock, Family
from tests.models.oracle import PAIR, SHORT_KEY, Oracle
from tests.rings import rotate_digest_ring
from tests.services import CI

GRACE = 30
LONG = (600, service.SESSION_IDLE_SECONDS - 1, service.SESSION_IDLE_SECONDS)
PICK = st.integers(0, 15)
THIEFS_KEY = "t" * 22


@dataclass(frozen=True)
class Sent:
    """A request of the client, and its answer once the service has judged it."""

    token: str
    key: str | None
    answer: Answer | None = None


class Rotation(RuleBasedStateMachine):
    """The store of the client holds a token and the key that was made for it; the network holds what was sent."""

    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.clock.begin()
        self.requests: list[Sent] = []
        self.answers: list[Sent] = []
        self.issued: dict[int, set[str]] = {}
        self.loot: list[str] = []
        self.keys_made = 0
        self.key: str | None = None
        self.forgotten: str | None = None
        self.was_judged_over = self.logged_out = self.signed_out = False

    @initialize(
        has_keys=st.booleans(),
        has_thief=st.booleans(),
        grace=st.sampled_from((0, GRACE)),
    )
    def log_in(self, has_keys: bool, has_thief: bool, grace: int) -> None:
        self.has_keys, self.has_thief = has_keys, has_thief
        self.overridden = override_settings(REFRESH_GRACE_SECONDS=grace)
        self.overridden.enable()
        self.oracle = Oracle(service.SESSION_IDLE_SECONDS, service.SESSION_LIFETIME_SECONDS, grace)
        rotate_digest_ring(keep=False)
        self.family = Family(self.clock.now)
        self.last_event = Event.objects.order_by("-id").values_list("id", flat=True).first() or ""
        self.stored = self.family.first
        self.issued[0] = {claims(self.stored)["jti"]}

    # The service

    def present(self, token: str, key: str | None) -> Answer:
        """One request, judged by the service and by the table."""
        generation = claims(token)["gen"]
        was_over = self.oracle.is_over(self.clock.seconds)
        expected = self.oracle.present(generation, key, self.clock.seconds)
        answer = self.family.refresh(token, key)
        assert (answer.problem or PAIR, self.new_events()) == (expected.answer, expected.events)
        if answer.pair:
            assert not was_over, "an ended session answered a pair"
            successor = claims(answer.pair.refresh)
            assert successor["gen"] == expected.generation == generation + 1
            self.issued.setdefault(successor["gen"], set()).add(successor["jti"])
        return answer

    def new_events(self) -> tuple[tuple[str, str], ...]:
        """What was written since this was asked last."""
        events = Event.objects.order_by("id")
        written = list(events.filter(id__gt=self.last_event).values_list("id", "type", "reason"))
        self.last_event = written[-1][0] if written else self.last_event
        return tuple((kind, reason) for _, kind, reason in written)

    # The client

    @precondition(lambda self: not self.logged_out)
    @rule()
    def send(self) -> None:
        """A tab refreshes, or asks again since no answer came."""
        if self.has_keys and self.key is None:
            self.keys_made += 1
            self.key = f"client-key-{self.keys_made:011d}"
        self.requests.append(Sent(self.stored, self.key))

    @precondition(lambda self: self.requests)
    @rule(pick=PICK, is_doubled=st.booleans())
    def arrive(self, pick: int, is_doubled: bool) -> None:
        sent = self.requests[pick % len(self.requests)]
        if not is_doubled:
            self.requests.remove(sent)
        answer = self.present(sent.token, sent.key)
        assert answer.problem != "validation_failed", "the client makes every key anew"
        self.answers.append(Sent(sent.token, sent.key, answer))

    @precondition(lambda self: self.answers)
    @rule(pick=PICK, is_lost=st.booleans())
    def receive(self, pick: int, is_lost: bool) -> None:
        """An answer comes back late or never; it counts while the token that was sent is still the one stored."""
        sent = self.answers.pop(pick % len(self.answers))
        if is_lost or sent.token != self.stored or sent.answer is None:
            return
        if sent.answer.pair:
            self.stored, self.key = sent.answer.pair.refresh, None
            self.forgotten = sent.key
        else:
            self.logged_out = True
            is_too_old = self.clock.seconds >= self.oracle.expires(claims(self.stored)["gen"])
            assert self.oracle.is_over(self.clock.seconds) or is_too_old

    @precondition(lambda self: not self.logged_out)
    @rule()
    def refresh(self) -> None:
        """Without trouble; a copy stays behind in the network."""
        self.send()
        self.requests.append(self.requests[-1])
        self.arrive(len(self.requests) - 1, is_doubled=False)
        self.receive(len(self.answers) - 1, is_lost=False)

    @precondition(lambda self: self.has_keys and self.forgotten == self.oracle.made_by[-1])
    @rule()
    def forget_the_rule(self) -> None:
        """A key that is not made anew rotates nothing, and ends nothing."""
        if claims(self.stored)["gen"] == self.oracle.newest:
            assert self.present(self.stored, self.forgotten).pair is None

    @precondition(lambda self: self.requests and self.oracle.newest > 1)
    @rule(pick=st.sampled_from((0, -1)))
    def double_arrives(self, pick: int) -> None:
        """Of the oldest request, or of the newest."""
        self.arrive(pick, is_doubled=True)

    @rule()
    def sign_out(self) -> None:
        """The owner ends the session; rarely, since little happens afterwards."""
        if self.oracle.newest > 3 and self.keys_made % 4 == 3:
            sessions.end_session(self.family.row, reason="logout", now=self.clock.now)
            self.oracle.ended = self.signed_out = True

    # The thief

    @precondition(lambda self: self.has_thief)
    @rule()
    def steal(self) -> None:
        self.loot.append(self.stored)

    @precondition(lambda self: self.loot and self.oracle.newest > 1)
    @rule(pick=PICK, key=st.sampled_from((None, THIEFS_KEY, SHORT_KEY)))
    def use_loot(self, pick: int, key: str | None) -> None:
        token = self.loot[pick % len(self.loot)]
        is_old, is_known = claims(token)["gen"] < self.oracle.newest, self.has_keys or not self.oracle.grace
        is_judged = key != SHORT_KEY and self.clock.seconds < self.oracle.expires(claims(token)["gen"])
        answer = self.present(token, key)
        if answer.pair:
            self.loot.append(answer.pair.refresh)
        elif is_old and is_known and is_judged:
            assert self.oracle.is_over(self.clock.seconds), "an old token in other hands ends the session"

    # The operator

    @rule()
    def rotate_digest_ring(self) -> None:
        """Changes nothing for a session."""
        rotate_digest_ring()

    # Time

    @rule(seconds=st.sampled_from((1, GRACE - 1, GRACE)))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.oracle.newest > 3)
    @rule(seconds=st.sampled_from(LONG))
    def wait_long(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # What holds at every moment

    @invariant()
    def row_is_as_the_table_says(self) -> None:
        row = self.family.row
        assert (row.generation, row.revoked_at is not None) == (self.oracle.newest, self.oracle.ended)
        assert all(len(successors) == 1 for successors in self.issued.values())
        is_over = not sessions.is_live(row, self.clock.now)
        assert is_over == self.oracle.is_over(self.clock.seconds)
        assert is_over or not self.was_judged_over, "an ended session revived"
        self.was_judged_over = is_over

    @invariant()
    def client_that_keeps_the_rules_is_never_logged_out(self) -> None:
        if self.has_keys and not self.has_thief:
            assert not self.oracle.ended or self.signed_out

    @rule()
    def no_two_tokens_live(self) -> None:
        live = self.family.live_generations(self.oracle.newest, self.clock.now)
        assert live == ([] if self.oracle.is_over(self.clock.seconds) else [self.oracle.newest])

    def teardown(self) -> None:
        """At last client and thief both go on: whoever comes second ends the session, unless the loot is too old."""
        if not hasattr(self, "overridden"):
            return
        try:
            self.no_two_tokens_live()
            if self.loot and not self.logged_out and (self.has_keys or not self.oracle.grace):
                self.send()
                self.present(self.requests[-1].token, self.requests[-1].key)
                self.present(self.loot[-1], THIEFS_KEY)
                self.present(self.requests[-1].token, self.requests[-1].key)
                if self.clock.seconds < self.oracle.expires(claims(self.loot[-1])["gen"]):
                    assert self.oracle.is_over(self.clock.seconds)
        finally:
            self.overridden.disable()


def test_every_history_of_a_session_goes_by_the_table(database: str, clock: Clock) -> None:
    run_state_machine_as_test(
        type("ClockedRotation", (Rotation,), {"clock": clock}),
        settings=settings(
            max_examples=scaled(50, 1000),
            stateful_step_count=scaled(40, 60),
            deadline=None,
            derandomize=CI,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
