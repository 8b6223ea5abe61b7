"""What a service costs that nobody asks for anything: CPU of its processes, in milliseconds a second."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import show_table
from tests.processes import cpu_seconds, descendants
from tests.server import BACKENDS, running_server

SETTLE_SECONDS, SECONDS = 10, 30


def idle() -> Iterator[list[object]]:
    """One line a backend: the web server, and the background worker."""
    for backend in BACKENDS:
        with tempfile.TemporaryDirectory() as directory, running_server(backend, Path(directory)) as server:
            time.sleep(SETTLE_SECONDS)
            processes = descendants(server.nodes[0].process.pid)
            named = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in processes}
            parts = [[pid for pid in processes if named[pid] == name] for name in ("auth-web", "auth-worker")]
            before = [cpu_seconds(pids) for pids in parts]
            time.sleep(SECONDS)
            after = [cpu_seconds(pids) for pids in parts]
            spent = [1000 * (end - begin) / SECONDS for begin, end in zip(before, after, strict=True)]
            yield [backend, *(f"{ms:.1f}" for ms in spent)]


def main() -> None:
    show_table("Idle, CPU ms a second", ["backend", "web server", "background worker"], idle())


if __name__ == "__main__":
    main()
