"""What the benchmarks share: a server to measure, addresses to come from, tables to print."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.server import Server, running_server

_sources = itertools.count()


def new_source() -> str:
    """An address that made no request yet (RFC 2544's range)."""
    number = next(_sources)
    return f"198.{18 + number // 65536 % 2}.{number // 256 % 256}.{number % 256}"


@contextlib.contextmanager
def bench_server(
    backend: str, *, program: tuple[str, ...] = ("manage.py",), **environment: str
) -> Iterator[Server]:
    """A node without its background worker, with default settings else; a process of its own from the start."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_server(
            backend, Path(directory), nodes=0, hashes_cheaply=False, environment=environment
        ) as server,
    ):
        server.program = program
        server.start_node("--no-worker")
        yield server


def show_table(title: str, head: list[str], rows: Iterable[list[object]]) -> None:
    """A Markdown table, each line as soon as it is known."""
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)
