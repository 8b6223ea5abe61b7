"""Real server processes for tests: `manage.py serve`, any number of nodes over one private set of stores."""

import contextlib
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests import migrated, services
from tests.commands import Commands
from tests.forks import Forked, Forks
from tests.processes import descendants

ROOT = Path(__file__).resolve().parent.parent
LONG = bool(os.environ.get("TEST_LONG"))
BACKENDS = ("sqlite", "postgres", "postgres+redis")
TESTED_BACKENDS = BACKENDS if LONG else ("sqlite", "postgres+redis")
NEEDS = {"sqlite": (), "postgres": ("postgres",), "postgres+redis": ("postgres", "redis")}
# A third of the tests' CPU time went into passwords. Where the time of a hash matters, in the long run, and in a first
# start, it is what it is in production.
CHEAP_HASHES = {"ARGON2_MEMORY_KIB": "1024", "ARGON2_TIME_COST": "1"}
START_SECONDS = 90
TLS = ssl.create_default_context()  # one for all: making it takes longer than most requests
STOP_SECONDS = 12
QUIET_SECONDS = 0.15  # three times what lines wait for others
LINE_SECONDS = 20
# What a server inherits from the environment of the tests: nothing that could configure it.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONWARNINGS")


LIBRARIES = Forks({name: os.environ[name] for name in INHERITED if name in os.environ})


class ServerFailed(Exception):
    """A node did not come up; the message ends with its last lines."""


@dataclass
class Node:
    """One `manage.py serve` process with its children."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] | Forked

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False, verify=TLS).status_code == 200:
                    return
            time.sleep(0.03)
        raise ServerFailed(f"status {self.process.poll()}\n{self.log.read_text()[-4000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit status; what is left after STOP_SECONDS is killed."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@dataclass
class Server:
    """A service: its nodes, its data directory and its stores."""

    backend: str
    directory: Path
    environment: dict[str, str]
    nodes: list[Node] = field(default_factory=list)
    program: tuple[str, ...] = ()  # of nodes that are whole processes; else they are forked
    keeps_looking: bool = False  # `rows` keeps its connection to PostgreSQL, where no test restarts that
    _commands: Commands | None = field(default=None, repr=False)
    _look: psycopg.Connection[Any] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return self.nodes[0].url

    @property
    def origin(self) -> str:
        return self.environment["ORIGIN"]

    @property
    def data_dir(self) -> Path:
        return Path(self.environment["DATA_DIR"])

    def start_node(self, *arguments: str) -> Node:
        """One node more, ready to answer. `arguments` are those of `serve`."""
        port = int(self.environment["PORT"]) if not self.nodes else free_port()
        log = self.directory / f"node{len(self.nodes)}.log"
        environment = {**self.environment, "PORT": str(port)}
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            process: subprocess.Popen[bytes] | Forked
            if self.program:
                command = [sys.executable, *self.program, "serve", *arguments]
                process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdin=nothing, stdout=output, stderr=output
                )
            else:
                files = (nothing.fileno(), output.fileno(), output.fileno())
                process = LIBRARIES.start(["serve", *arguments], files, environment)
        node = Node(port, log, process)
        self.nodes.append(node)
        node.wait_until_ready()
        return node

    def stop(self) -> None:
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.terminate()
        for node in self.nodes:
            node.stop()
        self._let_go()

    def discard(self) -> None:
        """Kill whatever runs: nobody looks at it any more, and to end in order takes longer than to start."""
        for node in self.nodes:
            if node.process.poll() is None:
                for pid in descendants(node.process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                node.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._commands:
            self._commands.stop()
            self._commands = None
        if self._look:
            self._look.close()

    def logs(self, having: str = "") -> str:
        """What the nodes wrote, `having` this in it within seconds: a line is written a moment after its request."""
        until = time.monotonic() + LINE_SECONDS
        time.sleep(QUIET_SECONDS)
        while having not in (written := self.written()) and time.monotonic() < until:
            time.sleep(0.02)
        return written

    def written(self) -> str:
        """What the nodes wrote until now."""
        return "".join(node.log.read_text(errors="replace") for node in self.nodes)

    def manage(
        self, *arguments: str, stdin: str = "", check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a management command in the service's environment; a failure raises with its output.

        With variables of its own it loads the service anew.
        """
        done = self._of_commands().run(*arguments, stdin=stdin, environment=environment)
        return _sound(done) if check else done

    def create_user(self, email: str, password: str, *, role: str = "", verified: bool = True) -> None:
        """A user without mail and without a second factor yet."""
        options = [*(["--role", role] if role else []), *([] if verified else ["--unverified"])]
        _sound(self._of_commands().run("create_user", email, *options, stdin=password + "\n", stays=True))

    def _of_commands(self) -> Commands:
        self._commands = self._commands or Commands(self.environment, LIBRARIES)
        return self._commands

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Look into the service's database; placeholders are %s."""
        url = self.environment.get("DATABASE_URL")
        if url and self.keeps_looking:
            if self._look is None or self._look.closed:
                self._look = psycopg.connect(url, autocommit=True)
            return _fetched(self._look, statement, parameters)
        if url:
            with psycopg.connect(url, autocommit=True) as connection:
                return _fetched(connection, statement, parameters)
        path = self.data_dir / "secure_auth.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
            return list(database.execute(statement.replace("%s", "?"), tuple(parameters)))


def _fetched(
    connection: psycopg.Connection[Any], statement: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]]:
    cursor = connection.execute(statement.encode(), parameters)
    return cursor.fetchall() if cursor.description else []


def _sound(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    if done.returncode:
        raise AssertionError(f"{done.args[1]}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def stores(backend: str, *, with_tables: bool = False) -> Iterator[dict[str, str]]:
    """Environment variables of private stores: empty, but for the tables of a PostgreSQL database where asked for."""
    services.require(*NEEDS[backend])
    with contextlib.ExitStack() as stack:
        variables = {}
        if "postgres" in NEEDS[backend]:
            template = (migrated.postgres_name(),) if with_tables else ()
            variables["DATABASE_URL"] = stack.enter_context(services.private_database(*template))
        if "redis" in NEEDS[backend]:
            variables["REDIS_URL"] = stack.enter_context(services.private_redis())
        yield variables


@contextlib.contextmanager
def running_server(
    backend: str,
    directory: Path,
    *,
    nodes: int = 1,
    worker: bool = True,
    first_start: bool = False,
    hashes_cheaply: bool = not LONG,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A service that answers on every node, killed afterwards; its logs stay in `directory`.

    Without the background `worker`, which nobody needs who reads no mail, it starts a third faster; a `first_start`
    is a whole process and makes the tables too.
    """
    with stores(backend, with_tables=not first_start) as variables:
        port = free_port()
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        ours = {
            "PORT": str(port),
            "ORIGIN": f"http://localhost:{port}",
            "DATA_DIR": str(directory / "data"),
            "TRUSTED_PROXIES": "127.0.0.1/32",
            "SERVER_WORKERS": "2",
            "DATABASE_POOL_SIZE": "4",
            "REDIS_TIMEOUT_MILLISECONDS": "3000",  # a busy test machine is no outage
        }
        cheap = CHEAP_HASHES if hashes_cheaply and not first_start else {}
        settings = {**inherited, **ours, **cheap, **variables, **(environment or {})}
        server = Server(backend, directory, settings, program=("manage.py",) if first_start else ())
        if not first_start and backend == "sqlite" and not server.data_dir.exists():
            migrated.copy_sqlite(server.data_dir)
        try:
            for _ in range(nodes):
                server.start_node(*([] if worker else ["--no-worker"]))
            yield server
        finally:
            server.discard()
