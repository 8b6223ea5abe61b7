"""What reading the log costs on millions of events: first pages by filter, the summary, and exports.

`python -m tests.bench.reading` fills a private PostgreSQL database (`--events`, 10,000,000 by default) and drops it;
`--database NAME` keeps one of that name for the next time. Latencies are those of the use case in this process, without
HTTP; exports go through a real server.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import manyevents
from tests.client import Client
from tests.server import Server, free_port

FORMATS = ("jsonl", "csv", "ocsf", "ecs", "cef")
ROUNDS = 60


def serving(url: str, directory: Path) -> Server:
    """A node over a database that holds events already."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "ORIGIN": f"http://localhost:{port}",
        "DATA_DIR": str(directory / "data"),
        "DATABASE_URL": url,
        "TRUSTED_PROXIES": "127.0.0.1/32",
        "SERVER_WORKERS": "1",
        "SERVER_THREADS": "16",
        "ACCESS_TOKEN_SECONDS": "3600",
    }
    return Server("postgres", directory, environment)


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


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--database", default="", help="keep the events in a database of this name")
    parser.add_argument("--exported", type=int, default=1_000_000, help="how many events an export holds")
    parser.add_argument("--only", choices=["filters", "exports", "summary"], default="")
    parser.add_argument("--formats", default=",".join(FORMATS))
    given = parser.parse_args()
    with manyevents.database(given.database) as url:
        manyevents.fill_once(url, given.events)
        if given.only in ("", "exports"):
            measure_exports(url, given.exported, given.formats.split(","))


if __name__ == "__main__":
    main()
