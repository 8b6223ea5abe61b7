"""What judging the log costs: `python -m tests.bench.verify [ENTRIES]`, on PostgreSQL.

Wall time says little on a busy machine; CPU time of all processes, the database server's too, says what two free cores
would give.
"""

import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import tests.ready  # noqa: F401
from audit import notes
from audit.offline import write_export
from audit.verify.export import Export
from audit.verify.notes import parse_key
from audit.verify.verdict import Question, judge
from tests import ledger
from tests.bench.logbook import ORIGIN, SIGNER, START_MS, fill
from tests.bench.report import show_table

KEY = notes.verifier_key(ORIGIN, SIGNER.public)
TICKS = os.sysconf("SC_CLK_TCK")


def main(entries: int = 500_000) -> None:
    """Load a log, and judge it in each way."""
    with tempfile.TemporaryDirectory() as name, ledger.database("postgres", Path(name)) as owner:
        fill(owner.place, entries)
        out = Path(name) / "out"
        rows = [
            measure("verify_log, one process", entries, owner, partial(_judge, owner.opener(), 1)),
            measure("verify_log, two processes", entries, owner, partial(_judge, owner.opener(), 2)),
            measure("export_log", entries, owner, partial(_export, owner, out)),
            measure(
                "verify_log --export, two processes", entries, owner, partial(_judge, partial(Export, out), 2)
            ),
        ]
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    head = [
        "what",
        "entries/s",
        "CPU µs an entry, ours",
        "the database's",
        "entries/s on two free cores",
        "peak MiB",
    ]
    show_table(f"Judging a log of {entries} entries (load {load})", head, rows)


def measure(what: str, entries: int, owner: ledger.Owner, act: Callable[[], Any]) -> list[object]:
    """One line of the table."""
    with _server_cpu(owner) as server:
        before, began = _own_cpu(), time.monotonic()
        act()
        wall, ours = time.monotonic() - began, _own_cpu() - before
    micros, theirs = ours / entries * 1e6, server[0] / entries * 1e6
    peak = (
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        // 1024
    )
    both = round(2e6 / (micros + theirs))
    return [what, round(entries / wall), f"{micros:.1f}", f"{theirs:.1f}", both, peak]


def _judge(opener: Callable[..., Any], processes: int) -> None:
    question = Question(keys=[parse_key(KEY)], processes=processes, now_ms=lambda: START_MS)
    assert judge(opener, question, lambda _: None).startswith("ok: ")


def _export(owner: ledger.Owner, out: Path) -> None:
    database = owner.opener()()
    write_export(database, out, [KEY], lambda done, total: None)
    database.close()


def _own_cpu() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(each.ru_utime + each.ru_stime for each in map(resource.getrusage, who))


@contextmanager
def _server_cpu(owner: ledger.Owner) -> Iterator[list[float]]:
    """CPU seconds of the server processes of our database, looked at three times a second."""
    seen: dict[int, float] = {}
    stopped, total = threading.Event(), [0.0]

    def look() -> None:
        others = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with owner.connect() as run:
            while True:
                run("SELECT pg_stat_clear_snapshot()")
                for (pid,) in run(others):
                    spent = _cpu_of(pid)
                    if spent is not None:
                        seen[pid] = spent
                if stopped.wait(0.3):
                    break

    thread = threading.Thread(target=look)
    thread.start()
    yield total
    stopped.set()
    thread.join()
    total[0] = sum(seen.values())  # its connections are new ones


def _cpu_of(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
