"""Fixtures: a running service on each backend, and clients that each come from an address of their own.

Tests that use `server` run once a backend, as [sqlite], [postgres+redis] and, in the long run, [postgres]. pytest-xdist
keeps the tests of one folder and backend in one process, so that few servers start; so it does with the tests of one
file that share a service or a database of their own. What needs the whole machine is marked `alone` and runs after
all others.
"""

import gc
import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Person
from tests.server import LONG, TESTED_BACKENDS, Server, running_server
from tests.visitor import Visitor
from tests.watcher import LookIn, Watcher

_addresses = itertools.count(1)
# Fixtures that a file's tests share, by their parameter: made in one process, not in each.
MADE_ONCE = ("service", "busy", "migrated", "original", "store", "database")
MISSING = re.compile("server answers|is not installed")  # what tests.services says of what it wants

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # else what `nohup make test` begins would ignore it


def new_address() -> str:
    """An IPv4 address that no client of this test run has used (RFC 2544's range)."""
    number = next(_addresses)
    return f"198.{18 + number // 64516 % 2}.{number // 254 % 254}.{number % 254 + 1}"


def new_address_v6() -> str:
    """An IPv6 address in a /48 of its own (RFC 9637's range)."""
    return f"3fff:{next(_addresses) % 4095:x}:{os.getpid() % 65535:x}::1"


def scaled(short: int, long: int) -> int:
    """How often to repeat: `make test` or `make test-long`."""
    return long if LONG else short


@pytest.fixture(scope="session", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One node on each backend, shared by the tests of this process."""
    directory = tmp_path_factory.mktemp(request.param.replace("+", "-"))
    with running_server(request.param, directory) as running:
        running.keeps_looking = True
        yield running


@pytest.fixture
def new_client(server: Server) -> Iterator[Callable[..., Client]]:
    """Makes clients of `server`, each at a new source address unless one is given."""
    clients: list[Client] = []

    def make(address: str = "", *, node: int = 0, of: Server | None = None) -> Client:
        clients.append(Client(of or server, address or new_address(), node=node))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def new_visitor(server: Server) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors of the pages of `server`, each at a new source address unless one is given."""
    visitors: list[Visitor] = []

    def make(address: str = "", **options: Any) -> Visitor:
        visitors.append(Visitor(server, address or new_address(), **options))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def visitor(new_visitor: Callable[..., Visitor]) -> Visitor:
    return new_visitor()


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client()


@pytest.fixture
def look_in(server: Server) -> Iterator[LookIn]:
    """Signs people in on the pages, each from an address of its own."""
    watchers: list[Watcher] = []

    def begin(person: Person) -> Watcher:
        watchers.append(Watcher(server, new_address()))
        return watchers[-1].enter(person)

    yield begin
    for watcher in watchers:
        watcher.close()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only what runs alone is wanted, files without any of it are not read: that took longer than some tests."""
    if not str(config.option.markexpr).endswith(" and alone") or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text()
    return None if "alone" in text or "fleet" in text else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One xdist group a folder and backend, and barrages alone; before pytest and xdist read the marks."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        named = parameters.params if parameters else {}
        backend = named.get("server") or named.get("fleet") or named.get("unled")
        store = next((named[name] for name in MADE_ONCE if name in named), None)
        if backend:
            item.add_marker(pytest.mark.xdist_group(f"{backend} {item.path.parent.name}"))
        elif store and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem} {store}"))
        if "fleet" in named:
            item.add_marker(pytest.mark.alone)


def pytest_collection_finish() -> None:
    """In each of xdist's processes: what is loaded stays, and looking through it again and again costs 7 % of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name and count the tests that a missing service or program kept from running."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and MISSING.search(report.longrepr[2])
    ]
    if not skipped:
        return
    terminalreporter.section("skipped: a service or a program is missing")
    for report in sorted(skipped, key=lambda report: str(report.nodeid)):
        terminalreporter.write_line(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")
    terminalreporter.write_line(f"{len(skipped)} tests skipped for want of a service or a program")
