"""Honest logins beside a flood: median and p99 of the password step on PostgreSQL and Redis, default settings.

Honest people send HONEST_RATE right passwords a second, each from a source of its own and for another account; they
retry nothing. The situations take turns, RUNS times: alone; beside wrong passwords from FEW sources that are over their
limits, at twice the rate at which this node computes hashes; beside the same at twice the rate at which it refuses
them; beside wrong passwords from a new source each, at twice the rate of hashes (there, 503 is the design: see
secure_auth/passwords.py). Half of a refused flood aims at one account, half at many; the last names another account
each time, so that no limit refuses it.

A flood holds FLOOD_CONNECTIONS connections; what finds none free is not sent. Each party is a process of its own
(tests.bench.openloop) on the same machine, so a flood takes processor time on both sides. Figures are medians of the
runs. The demand is for the first flood, twice what the node can hash: p99 at most three times the one alone, and
nobody refused.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import load
from tests.bench.endpoints import password_step
from tests.bench.openloop import Outcome, Plan, finish, start
from tests.bench.people import Account, create_accounts
from tests.bench.report import bench_server, new_source, show_table
from tests.client import new_email

HONEST_RATE, HONEST_CONNECTIONS = 6, 64
SECONDS, LEAD_SECONDS = 6, 1.5
RUNS = 3
ACCOUNTS = 64
FEW = [f"203.0.113.{number}" for number in range(1, 5)]
FLOOD_CONNECTIONS = 64
PROBE_SECONDS, PROBE_CONNECTIONS = 4, 16
DEMANDED = 3.0
REFUSED = "few sources, twice the hashes"


@dataclass(frozen=True)
class Run:
    """One situation, once."""

    honest: Outcome
    flood: Outcome | None

    @property
    def p99_ms(self) -> float:
        ordered = self.honest.latencies_ms(200)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] if ordered else float("inf")

    @property
    def median_ms(self) -> float:
        return statistics.median(self.honest.latencies_ms(200) or [float("inf")])


def guess(account: str, address: str) -> str:
    """A wrong password."""
    body = {"email": account, "password": "not the right one 1"}
    return load.build("POST", "/api/v1/login/", body=body, address=address).decode("latin-1")


def refused_guesses(victims: list[str]) -> list[str]:
    """From FEW sources, half of them for the first of the accounts."""
    many = itertools.cycle(victims[1:])
    sources = itertools.cycle(FEW)
    return [guess(victims[0] if number % 2 else next(many), next(sources)) for number in range(4000)]


def hashed_guesses(count: int) -> list[str]:
    """Each from a source of its own and for an account of its own, which costs what a known one does."""
    return [guess(new_email(), new_source()) for _ in range(count)]


def rate_of(outcome: Outcome, *statuses: int) -> float:
    return outcome.count(*statuses) / PROBE_SECONDS


def probe(url: str, requests: list[str]) -> Outcome:
    """As many answers as the server gives over PROBE_CONNECTIONS connections."""
    return finish(start(Plan(url, requests, 0, PROBE_SECONDS, PROBE_CONNECTIONS)))


def beside(url: str, accounts: Iterator[Account], flood: Plan | None) -> Run:
    """Honest logins, after the flood has begun."""
    requests = [password_step(next(accounts)).decode("latin-1") for _ in range(HONEST_RATE * SECONDS)]
    flooding = start(flood) if flood else None
    time.sleep(LEAD_SECONDS)
    honest = finish(start(Plan(url, requests, HONEST_RATE, SECONDS, HONEST_CONNECTIONS)))
    return Run(honest, finish(flooding) if flooding else None)


def measure() -> Iterator[list[object]]:
    """One line a situation."""
    with bench_server("postgres+redis") as server:
        url, people = server.url, create_accounts(server, 2 * ACCOUNTS)
        honest = itertools.cycle(people[:ACCOUNTS])
        victims = [account.email for account in people[ACCOUNTS:]]
        few = refused_guesses(victims)
        probe(url, few)  # brings them over their limits
        refused = rate_of(probe(url, few), 429)
        hashed = rate_of(probe(url, hashed_guesses(1000)), 401)

        def plan(requests: list[str], rate: float) -> Plan:
            return Plan(url, requests, rate, SECONDS + 2 * LEAD_SECONDS, FLOOD_CONNECTIONS)

        runs: dict[str, list[Run]] = {
            "alone": [],
            REFUSED: [],
            "few sources, as fast as refused": [],
            "new sources": [],
        }
        for _ in range(RUNS):
            many = hashed_guesses(int(2 * hashed * (SECONDS + 3)) + 1)
            floods = [None, plan(few, 2 * hashed), plan(few, 2 * refused), plan(many, 2 * hashed)]
            for name, flood in zip(runs, floods, strict=True):
                runs[name].append(beside(url, honest, flood))
                time.sleep(0.5)
        offered = [0, 2 * hashed, 2 * refused, 2 * hashed]
        for (name, found), rate in zip(runs.items(), offered, strict=True):
            yield row(name, rate, found, runs["alone"])


def row(name: str, offered: float, runs: list[Run], alone: list[Run]) -> list[object]:
    median = statistics.median(run.median_ms for run in runs)
    p99 = statistics.median(run.p99_ms for run in runs)
    ratio = p99 / statistics.median(run.p99_ms for run in alone)
    sent = sum(len(run.honest.answers) + run.honest.unsent for run in runs)
    answers = [sum(run.honest.count(status) for run in runs) for status in (200, 503)]
    others = sent - sum(answers)
    floods = [run.flood for run in runs if run.flood]
    refusals = ", ".join(f"{sum(one.count(s) for one in floods)} x {s}" for s in (401, 429, 503, 0))
    verdict = "" if name != REFUSED else "yes" if ratio <= DEMANDED and not others + answers[1] else "NO"
    unsent = sum(one.unsent for one in floods)
    told = f"{refusals}, {unsent} not sent" if floods else ""
    figures = [f"{median:.0f}", f"{p99:.0f}", f"{ratio:.1f}", verdict]
    return [name, f"{offered:.0f}", *figures, f"{answers[0]} of {sent}", answers[1], others, told]


def main() -> None:
    head = ["flood", "offered/s", "honest p50 ms", "p99 ms", "p99 by alone", "<= 3"]
    head += ["honest 200", "503", "others", "answers to the flood"]
    show_table("Honest logins beside a flood", head, measure())


if __name__ == "__main__":
    main()
