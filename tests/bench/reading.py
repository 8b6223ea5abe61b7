"""What reading the log costs on millions of events: first pages by filter, the summary, and exports.

`python -m tests.bench.reading` fills a private PostgreSQL database (`--events`, 10,000,000 by default) and drops it;
`--database NAME` keeps one of that name for the next time. Latencies are those of the use case in this process, without
HTTP; exports go through a real server.
"""

import argparse
import base64
import hashlib
import math
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import psycopg

from tests.bench import logbook, manyevents
from tests.client import Client
from tests.server import Server, free_port

FORMATS = ("jsonl", "csv", "ocsf", "ecs", "cef")
ROUNDS = 60
# The same for each run over a database that is kept.
MASTER_KEY = base64.b64encode(hashlib.sha256(b"a bench").digest()).decode()


def serving(url: str, directory: Path) -> Server:
    """A node over a database that holds events already."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "ORIGIN": f"http://localhost:{port}",
        "DATA_DIR": str(directory / "data"),
        "DATABASE_URL": url,
        "MASTER_KEY": MASTER_KEY,
        "TRUSTED_PROXIES": "127.0.0.1/32",
        "SERVER_WORKERS": "1",
        "SERVER_THREADS": "16",
        "ACCESS_TOKEN_SECONDS": "3600",
    }
    return Server("postgres", directory, environment, program=("manage.py",))


class Memory:
    """The largest resident memory of a process tree while it is watched, in MiB, by quarter of the time."""

    def __init__(self, pid: int) -> None:
        self._pid, self.samples = pid, list[float]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.samples.append(max(resident_mib(pid) for pid in descendants(self._pid)))

    def quarters(self) -> list[float]:
        """The median of each quarter: flat where they are alike."""
        size = max(1, len(self.samples) // 4)
        return [statistics.median(self.samples[at : at + size]) for at in range(0, size * 4, size)]


def descendants(pid: int) -> Iterator[int]:
    """A process and its children."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from descendants(int(child))


def resident_mib(pid: int) -> float:
    """VmRSS."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def measure_exports(url: str, limit: int, formats: list[str], proof: bool = False) -> None:
    """Events a second and resident memory of each format."""
    with tempfile.TemporaryDirectory(prefix="secure-auth-bench-") as directory:
        server = serving(url, Path(directory))
        try:
            node = server.start_node()
            client = Client(server, "192.0.2.99")
            token = client.create_person(role="auditor").access
            for name in formats:
                measure_export(node.process.pid, client, token, name, limit, proof)
        finally:
            server.stop()


def set_up(url: str) -> None:
    """Django over this database, in this process."""
    os.environ |= {
        "DATABASE_URL": url,
        "DATA_DIR": tempfile.mkdtemp(prefix="secure-auth-bench-"),
        "DJANGO_SETTINGS_MODULE": "secure_auth.settings",
    }
    django.setup()


def measure_export(pid: int, client: Client, token: str, name: str, limit: int, proof: bool) -> None:
    """One export, read as fast as it comes."""
    query = {"format": name, "limit": str(limit), "proof": str(proof).lower()}
    headers = {"Authorization": f"Bearer {token}"}
    began, lines, size = time.monotonic(), 0, 0
    with (
        Memory(pid) as memory,
        client.http.stream("GET", "/api/v1/audit/export/", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        for chunk in answer.iter_raw():
            lines += chunk.count(b"\n")
            size += len(chunk)
    seconds = time.monotonic() - began
    quarters = " ".join(f"{each:.0f}" for each in memory.quarters())
    print(
        f"export {name}{' with proofs' if proof else ''}: {lines:,} lines, {size / 2**20:.0f} MiB, "
        f"{lines / seconds:,.0f} events/s, MiB resident by quarter: {quarters}",
        flush=True,
    )


SEVERITIES: tuple[str, ...] = ("info", "low", "medium", "high", "critical")
# name: what to ask, given an event (user, ip, session, request id, type) drawn from the log
FILTERS: dict[str, Callable[[tuple[str, ...]], dict[str, str]]] = {
    "none": lambda row: {},
    "type": lambda row: {"type": row[4]},
    "type, rare": lambda row: {"type": "log.inconsistent"},
    "outcome": lambda row: {"outcome": "failure"},
    "severity": lambda row: {"severity": random.choice(SEVERITIES)},
    "reason": lambda row: {"reason": random.choice(("wrong_password", "rate_limited"))},
    "user": lambda row: {"user": row[0]},
    "ip": lambda row: {"ip": row[1]},
    "session": lambda row: {"session": row[2]},
    "request_id": lambda row: {"request_id": row[3]},
    "since and until": lambda row: {"since": row[5], "until": row[5]},
    "q, in every event": lambda row: {"q": "gecko"},
    "q, in 1 of 1,000": lambda row: {"q": "quarterly"},
    "q, in 1 of 20,000": lambda row: {"q": "helpdesk"},
    "q, in 1 of 1,000,000": lambda row: {"q": "zebra"},
    "q, in none": lambda row: {"q": "xylophone"},
    "q, two words": lambda row: {"q": "zebra incident"},
    "type and outcome": lambda row: {"type": row[4], "outcome": "failure"},
    "session and type": lambda row: {"session": row[2], "type": row[4]},
    "session and outcome": lambda row: {"session": row[2], "outcome": "success"},
    "request_id and type": lambda row: {"request_id": row[3], "type": row[4]},
    "type and since": lambda row: {"type": row[4], "since": row[5]},
    "user and until": lambda row: {"user": row[0], "until": row[5]},
    "ip and until": lambda row: {"ip": row[1], "until": row[5]},
    "others: user and type": lambda row: {"user": row[0], "type": row[4]},
    "others: ip and outcome": lambda row: {"ip": row[1], "outcome": "failure"},
    "others: user and ip": lambda row: {"user": row[0], "ip": row[1]},
    "others: type and severity": lambda row: {"type": row[4], "severity": "medium"},
    "others: q of digits": lambda row: {"q": "0000000"},
}


def measure_filters(url: str, rounds: int, show_plans: bool) -> None:
    """Latencies of first pages, in milliseconds, each with values of events drawn at random."""
    from django.db import connection

    from audit.reading import find_events

    with psycopg.connect(url) as other:
        rows = other.execute(
            """SELECT p."user", p.ip, e.session, e.request_id, e.type, to_char(e.time, 'YYYY-MM-DD')
                 FROM audit_event e TABLESAMPLE SYSTEM (0.05) JOIN audit_personaldata p ON p.event = e.id
                WHERE p."user" <> '' AND e.session <> ''"""
        ).fetchall()
    random.seed(7)
    find_events()  # connects
    for name, ask in FILTERS.items():
        seconds, found, statements = [], 0, list[tuple[str, Any]]()
        for row in random.sample(rows, min(rounds, len(rows))):
            began = time.monotonic()
            found += len(find_events(ask(row)).results)
            seconds.append(time.monotonic() - began)
        seconds.sort()
        p99 = seconds[max(0, math.ceil(len(seconds) * 0.99) - 1)]
        print(
            f"{name}: median {statistics.median(seconds) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
            f"{found / len(seconds):.0f} events a page",
            flush=True,
        )
        if show_plans:
            with connection.execute_wrapper(noting(statements)):
                find_events(ask(rows[0]))
            for sql, values in statements[:6]:
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", values)
                    print("\n".join(f"    {line}" for (line,) in cursor.fetchall()), flush=True)


def measure_proofs(count: int) -> None:
    """An export with proofs, of a log that is valid, in this process."""
    with manyevents.database() as url:
        logbook.fill(url, count)
        set_up(url)
        from django.db import connection

        from audit.exporting import parse_export

        for name in FORMATS:
            began, lines = time.monotonic(), 0
            for chunk in parse_export({"format": name, "proof": "true"}).chunks():
                lines += chunk.count(b"\n")
            rate = lines / (time.monotonic() - began)
            print(f"{name} with proofs: {lines:,} lines, {rate:,.0f} events/s", flush=True)
        connection.close()


def noting(statements: list[tuple[str, Any]]) -> Callable[..., Any]:
    """A wrapper that keeps what is executed."""

    def note(run: Callable[..., Any], sql: str, values: Any, *rest: Any) -> Any:
        statements.append((sql, values))
        return run(sql, values, *rest)

    return note


def measure_summary(rounds: int) -> None:
    """Latency of counts for charts."""
    from audit.summary import BUCKETS, parse_span, read_counts, read_top

    for bucket, since in (("minute", 86_400), ("hour", 30 * 86_400), ("day", 60 * 86_400)):
        seconds = []
        for _ in range(rounds):
            began = time.monotonic()
            begin, end = parse_span(int((time.time() - since + BUCKETS[bucket]) * 1000), None, bucket)
            rows = len(read_counts(begin, end, bucket))
            read_top(begin, end)
            seconds.append(time.monotonic() - began)
        seconds.sort()
        print(
            f"summary by {bucket}, {(end - begin) // BUCKETS[bucket]} buckets, {rows:,} counts: "
            f"median {statistics.median(seconds) * 1000:.0f} ms, slowest {seconds[-1] * 1000:.0f} ms",
            flush=True,
        )


def derive() -> None:
    """Let the text index and the summary catch up, as the worker does; how fast they are."""
    from audit import summary, textindex

    for name, advance in (("summary", summary.advance), ("text index", textindex.advance)):
        began, steps = time.monotonic(), 0
        while done := advance():
            steps += done
        if steps:
            print(f"{name}: {steps:,} steps, {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--database", default="", help="keep the events in a database of this name")
    parser.add_argument("--exported", type=int, default=1_000_000, help="how many events an export holds")
    parser.add_argument("--only", choices=["filters", "exports", "summary", "proofs"], default="")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--plans", action="store_true", help="print the plans of the statements too")
    given = parser.parse_args()
    if given.only == "proofs":
        measure_proofs(given.exported // 10)
        return
    with manyevents.database(given.database) as url:
        manyevents.fill_once(url, given.events)
        set_up(url)
        derive()
        if given.only in ("", "filters"):
            measure_filters(url, given.rounds, given.plans)
        if given.only in ("", "summary"):
            measure_summary(given.rounds)
        if given.only in ("", "exports"):
            measure_exports(url, given.exported, given.formats.split(","))


if __name__ == "__main__":
    main()
