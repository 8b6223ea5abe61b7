"""Processes of `manage.py` and of modules of the tests, forked from one which has loaded the libraries already.

Python's start and the imports take three quarters of a second of CPU, more than most of what tests start needs. A fork
has an environment, files and signals of its own, and does what `manage.py` does: no setting was read before, and of
this project nothing loaded that would read one. First starts, and what is about starting, are whole processes
(`tests/flows/test_starting.py`).
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
# What reads no setting and no variable when it is imported; prometheus_client does.
LIBRARIES = (
    "argon2",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.x509",
    "django.core.handlers.wsgi",
    "django.core.mail",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.forms",
    "django.template.loader",
    "django.views.generic",
    "email_validator",
    "gunicorn.arbiter",
    "gunicorn.workers.base",
    "httpx",
    "jwt",
    "psycopg_pool",
    "pyotp",
    "redis.cluster",
    "redis.sentinel",
    "rest_framework.exceptions",
    "rest_framework.fields",
    "rich.console",
    "segno",
    "structlog",
    "ua_parser",
    "uuid_utils",
    "waitress.server",
    "webauthn",
    "whitenoise",
    "zxcvbn",
    # What else the service loads, and what of the service itself is alike whatever its settings are: half of its start.
    "audit.append",
    "audit.checkpoints",
    "audit.detections.predicates",
    "audit.detections.slot",
    "audit.exporting",
    "audit.following",
    "audit.integrate",
    "audit.kept",
    "audit.offline",
    "audit.removal",
    "audit.summary",
    "audit.verify.export",
    "audit.verify.logs",
    "audit.verify.postgres",
    "audit.verify.sqlite",
    "corsheaders.checks",
    "dj_database_url",
    "django.contrib.admindocs.views",
    "django.contrib.auth.password_validation",
    "django.contrib.staticfiles.checks",
    "drf_spectacular.utils",
    "mfa.plain_cbor",
    "rest_framework.mixins",
    "rest_framework.permissions",
    "rest_framework.serializers",
    "secure_auth.account_settings",
    "secure_auth.api.log_answers",
    "secure_auth.api.personal_answers",
    "secure_auth.browsers",
    "secure_auth.floods",
    "secure_auth.handler",
    "secure_auth.hashers",
    "secure_auth.mail_settings",
    "secure_auth.web.activity",
    "secure_auth.web.console.charts",
    "secure_auth.webauthn_settings",
    "secure_auth.webhook_settings",
    "secure_auth.witness_settings",
    "throttling.headers",
    "throttling.stores.redis",
    "whitenoise.middleware",
    "wsgiref.simple_server",
)


class Forked:
    """A forked process, asked and told as a `subprocess.Popen` is."""

    def __init__(self, pid: int, ending: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = ending  # its status comes here, from the process that waits for it
        self._one_at_a_time = threading.Lock()  # a number that is closed twice is somebody else's

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._ending)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, for so many seconds at most: else subprocess.TimeoutExpired."""
        if self.returncode is None and not select.select([self._ending], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("manage.py", timeout or 0)
        with self._one_at_a_time:
            if self.returncode is None:
                self.returncode = int(os.read(self._ending, 10) or b"-1")
                os.close(self._ending)
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and its status is on the way
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """A process that forks others; it is started for the first of them, and ended by `stop`.

    With a `parent` it is a fork of that one, has a service's environment, and has loaded its code and settings too. Who
    `stays` runs the commands itself, one after the other: a fifth of what a fork takes and its first connection.
    """

    def __init__(
        self, environment: Mapping[str, str], parent: "Forks | None" = None, *, stays: bool = False
    ) -> None:
        self._environment, self._parent, self._stays = dict(environment), parent, stays
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._orders: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        files: Sequence[int],
        environment: Mapping[str, str] | None = None,
        orders: int | None = None,
    ) -> Forked:
        """`manage.py` with these arguments, and these as standard input, output and error; with `-m` first, a module.

        With `orders`, the socket of another of this class, it loads the service and forks on.
        """
        answer, its_end = os.pipe()
        try:
            order = json.dumps([list(arguments), environment and dict(environment)]).encode()
            numbers = [*files, its_end, *([] if orders is None else [orders])]
            with self._one_at_a_time:
                self._orders = self._orders or self._start()
                socket.send_fds(self._orders, [order], numbers)
        finally:
            os.close(its_end)
        told = b""
        while not told.endswith(b"\n"):
            part = os.read(answer, 1)
            assert part, "the process that forks has ended"
            told += part
        return Forked(int(told), answer)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, Path(os.devnull).open("rb") as nothing:
            if self._parent:
                files = (nothing.fileno(), 1, 2)
                manner = ("stay",) if self._stays else ()
                self._process = self._parent.start(manner, files, self._environment, theirs.fileno())
            else:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.forks", str(theirs.fileno())],
                    cwd=ROOT,
                    env=self._environment,
                    pass_fds=[theirs.fileno()],
                    stdin=nothing,
                )
        return ours

    def stop(self) -> None:
        """No more forks; those that run go on."""
        if self._process and self._orders:
            self._orders.close()
            self._process.wait()
            self._process = self._orders = None


def load_libraries() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    import ua_parser

    assert ua_parser.parser  # compiled when it is first asked for, which was a fifth of a service's start
    from django.conf import settings

    assert not settings.configured
    assert "prometheus_client" not in sys.modules


def load_service() -> None:
    """What commands of one service need, with its settings."""
    import django

    django.setup()
    importlib.import_module("secure_auth.management.operator")
    importlib.import_module("secure_auth.rings")


def serve(orders: socket.socket) -> None:
    """Until the other end closes."""
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who report
    while True:
        message, files, _, _ = socket.recv_fds(orders, 262144, 5)
        if not message:
            return
        if os.fork() == 0:
            orders.close()
            arguments, environment = json.loads(message)
            report(arguments, environment, files)
        for number in files:
            os.close(number)


def report(arguments: list[str], environment: dict[str, str] | None, files: list[int]) -> NoReturn:
    """Run a command in a further process, tell its id and then its status. Neither returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    (given, told, complained, answer), further = files[:4], files[4:]
    child = os.fork()
    if child:
        for number in (0, given, told, complained, *further):  # only the command holds what it writes to
            os.close(number)
        os.write(answer, f"{child}\n".encode())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    for place, number in enumerate((given, told, complained)):
        os.dup2(number, place)
    for number in (given, told, complained, answer):
        os.close(number)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    if further:
        load_service()
        (stay if arguments else serve)(socket.socket(fileno=further[0]))
        end(0)
    end(run(arguments))


def stay(orders: socket.socket) -> None:
    """Run each command here until the other end closes. None leaves a connection behind."""
    from django.db import connection

    while True:
        message, files, _, _ = socket.recv_fds(orders, 262144, 4)
        if not message:
            return
        answer = files.pop()
        os.write(answer, f"{os.getpid()}\n".encode())
        for place, number in enumerate(files):
            os.dup2(number, place)
            os.close(number)
        sys.stdin = os.fdopen(0, closefd=False)
        status = run(json.loads(message)[0])
        connection.close()
        getattr(connection, "close_pool", lambda: None)()  # PostgreSQL's
        sys.stdout.flush()
        os.write(answer, str(status).encode())
        os.close(answer)


def run(arguments: list[str]) -> int:
    """What `manage.py` or `python -m` does with them, and the status that it ends with."""
    import runpy

    is_module = arguments[:1] == ["-m"]
    sys.argv = arguments[1:] if is_module else ["manage.py", *arguments]
    try:
        if is_module:
            runpy.run_module(arguments[1], run_name="__main__")
        else:
            runpy.run_path(str(ROOT / "manage.py"), run_name="__main__")
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(status: int) -> NoReturn:
    """Without taking the interpreter apart, which takes longer than most commands do."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    load_libraries()
    serve(socket.socket(fileno=int(sys.argv[1])))
