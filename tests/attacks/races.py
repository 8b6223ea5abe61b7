"""Logins that run while something takes their right away."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from tests.attacks.evidence import claims, live_sessions
from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, expect
from tests.server import Server

HASH_SECONDS = 0.15


@dataclass
class Runner:
    """One attacker's login, with what it brought home."""

    client: Client
    recovery_code: str
    partial: str = ""
    pair: dict[str, str] = field(default_factory=dict)

    def run(self, person: Person, password: str) -> None:
        """Both steps, or only the second where the first was done before."""
        answer: httpx.Response
        if not self.partial:
            time.sleep(random.uniform(0, HASH_SECONDS))
            answer = self.client.login(person, password)
            if not answer.is_success:
                return
            self.partial = answer.json()["partial_token"]
        else:
            time.sleep(random.uniform(0, HASH_SECONDS))
        answer = self.client.verify(self.partial, self.recovery_code, "recovery_code")
        if answer.is_success:
            self.pair = answer.json()


def race(person: Person, runners: list[Runner], action: Callable[[], httpx.Response]) -> None:
    """Let every second runner do the first step before, then all run while the action is done."""
    password = person.password
    for runner in runners[::2]:
        runner.partial = expect(runner.client.login(person), 200)["partial_token"]

    def act() -> httpx.Response:
        time.sleep(random.uniform(0, HASH_SECONDS))
        return action()

    runs: list[Callable[[], Any]] = [partial(runner.run, person, password) for runner in runners]
    expect(fire([act, *runs])[0], 204)


def assert_nothing_is_left(server: Server, person: Person, runners: list[Runner], *, kept: set[str]) -> None:
    """No session lives but `kept`, no access, refresh or partial token of a runner opens anything."""
    assert live_sessions(server, claims(person.access)["sub"]) == kept
    for runner in runners:
        if runner.pair:
            assert code_of(runner.client.me(runner.pair["access"])) == "invalid_token"
            assert code_of(runner.client.refresh(runner.pair["refresh"])) == "invalid_token"
        if runner.partial:
            answer = runner.client.verify(runner.partial, runner.recovery_code, "recovery_code")
            assert code_of(answer) == "invalid_token"
