"""Tabs that refresh at once over a network that doubles, delays and loses: on real threads, by a seed."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from django.db import connection
from django.utils import timezone

from secure_auth.sessions import KEYS_REMEMBERED
from tests.attacks.evidence import claims
from tests.conftest import scaled
from tests.models.conftest import Answer, Family

TABS = 5
ROTATIONS = 40  # fewer than the row remembers, so that no double comes too late
DELAY_SECONDS = 0.03
SEEDS = range(scaled(2, 40))
assert ROTATIONS < KEYS_REMEMBERED
Result = TypeVar("Result")


@pytest.fixture
def family(database: str) -> Family:
    return Family(timezone.now())


def own_connection(work: Callable[[], Result]) -> Result:
    """Run in a thread whose connection goes back afterwards."""
    try:
        return work()
    finally:
        connection.close()


@dataclass
class Browser:
    """What the tabs share: a token, and the key that was made for it."""

    family: Family
    seed: int
    stored: str = ""
    key: str = ""
    logged_out: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stored = self.family.first
        self.random = random.Random(self.seed)

    @property
    def generation(self) -> int:
        return int(claims(self.stored)["gen"])

    def begin(self) -> tuple[str, str]:
        """Rule 1: the key that is stored with the token, else a new one."""
        with self.lock:
            self.key = self.key or f"{self.random.getrandbits(128):032x}"
            return self.stored, self.key

    def take(self, sent: str, answer: Answer) -> None:
        """Rules 3 and 4: an answer counts while the token that was sent is the one stored."""
        with self.lock:
            self.note(answer)
            if sent != self.stored:
                return
            if answer.pair:
                self.stored, self.key = answer.pair.refresh, ""
            else:
                self.logged_out = True

    def note(self, answer: Answer) -> None:
        if answer.pair:
            successor = claims(answer.pair.refresh)
            self.seen.setdefault(successor["gen"], set()).add(successor["jti"])


@dataclass
class Network:
    """Sends each request once or more, each copy late by its own time; some answers are lost."""

    browser: Browser
    pool: ThreadPoolExecutor
    copies: list[Future[Answer]] = field(default_factory=list)

    def send(self, chance: random.Random, token: str, key: str) -> Iterator[Answer]:
        sent = [
            self.pool.submit(self.deliver, token, key, chance.uniform(0, DELAY_SECONDS))
            for _ in range(chance.choice((1, 1, 2, 3)))
        ]
        self.copies += sent
        for copy in sent:
            if chance.random() > 0.3:
                yield copy.result()

    def deliver(self, token: str, key: str, delay: float) -> Answer:
        time.sleep(delay)
        return own_connection(lambda: self.browser.family.refresh(token, key))


def use_tab(browser: Browser, network: Network, number: int) -> None:
    chance = random.Random(browser.seed * 100 + number)
    while not browser.logged_out and browser.generation < ROTATIONS:
        token, key = browser.begin()
        for answer in network.send(chance, token, key):
            browser.take(token, answer)


def steal(browser: Browser) -> Answer:
    """Copy the token at some moment, and use it as it is."""
    time.sleep(random.Random(browser.seed).uniform(0, 10 * DELAY_SECONDS))
    stolen = browser.stored
    return own_connection(lambda: browser.family.refresh(stolen, None))


def run(browser: Browser, *others: Callable[[], Answer]) -> list[Answer]:
    """Let all tabs go on to the end, and the others beside them; what the others were answered."""
    with ThreadPoolExecutor(2 * TABS) as wire, ThreadPoolExecutor(TABS + len(others)) as people:
        network = Network(browser, wire)
        tabs = [people.submit(use_tab, browser, network, number) for number in range(TABS)]
        besides = [people.submit(other) for other in others]
        for tab in tabs:
            tab.result()
        for copy in network.copies:
            browser.note(copy.result())
        return [other.result() for other in besides]


@pytest.mark.parametrize("seed", SEEDS)
def test_tabs_that_share_token_and_key_are_never_logged_out(family: Family, seed: int) -> None:
    browser = Browser(family, seed)
    run(browser)
    row = family.row
    assert not browser.logged_out
    assert (row.revoked_at, row.generation) == (None, ROTATIONS)
    assert sorted(browser.seen) == list(range(1, ROTATIONS + 1))
    assert {len(successors) for successors in browser.seen.values()} == {1}
    assert family.live_generations(ROTATIONS, timezone.now()) == [ROTATIONS]
    assert family.count_events(type="token.refresh", reason="") == ROTATIONS
    assert family.count_events(type="token.reuse") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_thief_among_the_tabs_ends_the_session_once(family: Family, seed: int) -> None:
    browser = Browser(family, seed)
    (stolen,) = run(browser, lambda: steal(browser))
    browser.note(stolen)
    if not browser.logged_out:  # the thief came last: the client goes on once more
        browser.take(browser.stored, family.refresh(*browser.begin()))
    row = family.row
    assert browser.logged_out
    assert row.revoke_reason == "reuse"
    assert {len(successors) for successors in browser.seen.values()} == {1}
    assert family.live_generations(row.generation, timezone.now()) == []
    assert family.count_events(type="token.refresh", reason="") == row.generation
    assert family.count_events(type="token.reuse") == family.count_events(type="session.revoke") == 1


def test_double_is_known_as_long_as_the_row_remembers_its_key(family: Family) -> None:
    keys = [f"a-key-of-the-client-{number:04d}" for number in range(KEYS_REMEMBERED + 2)]
    sent, token = [], family.first
    for key in keys:
        sent.append((token, key))
        answer = family.refresh(token, key)
        assert answer.pair
        token = answer.pair.refresh
    for late in sent[1:-1]:
        assert family.refresh(*late).problem == "invalid_token"
        assert family.row.revoked_at is None
    assert len(family.row.superseded_keys) == 512
    assert family.refresh(*sent[0]).problem == "invalid_token"
    assert family.row.revoke_reason == "reuse"


def test_rotation_without_a_key_is_forgiven_to_no_key(family: Family) -> None:
    """Its place among the remembered ones fits nothing, and the places of the others stay."""
    keyed = ["first-key-of-the-client", None, "third-key-of-the-client", "fourth-key-of-the-client"]
    sent, token = [], family.first
    for key in keyed:
        sent.append((token, key))
        answer = family.refresh(token, key)
        assert answer.pair
        token = answer.pair.refresh
    for number in (0, 2):
        assert family.refresh(*sent[number]).problem == "invalid_token"
        assert family.row.revoked_at is None
    assert family.refresh(sent[1][0], "-" * 22).problem == "invalid_token"
    assert family.row.revoke_reason == "reuse"
