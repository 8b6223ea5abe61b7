"""A process that runs management commands for the tests of one service, without Python's start for each.

It loads the service's code once, with the service's environment, and forks for every command: what the child does is
what `manage.py` does after its imports, on files of its own for standard input, output and error, and its exit status
is the command's. Starts that must not be (`tests/flows/test_starting.py`), and commands with variables of their own,
are whole processes.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
COMMAND_SECONDS = 120


class Commands:
    """Started at its first command, and ended with the service."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
        self.process: subprocess.Popen[bytes] | None = None
        self.orders: socket.socket | None = None
        self.one_at_a_time = threading.Lock()

    def run(self, *arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for it; whatever its status is."""
        with contextlib.ExitStack() as stack:
            given, told, complained = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            given.write(stdin.encode())
            given.seek(0)
            status = self._order(arguments, given, told, complained)
            read = [_content(file) for file in (told, complained)]
        return subprocess.CompletedProcess(["manage.py", *arguments], status, *read)

    def _order(self, arguments: tuple[str, ...], *files: IO[bytes]) -> int:
        """Hand a command and its three files over; its status comes through a pipe that closes with it."""
        answer, its_end = os.pipe()
        try:
            with self.one_at_a_time:
                self.orders = self.orders or self._start()
                numbers = [*(file.fileno() for file in files), its_end]
                socket.send_fds(self.orders, [json.dumps(arguments).encode()], numbers)
            os.close(its_end)
            ready, _, _ = select.select([answer], [], [], COMMAND_SECONDS)
            assert ready, f"{arguments[0]} took longer than {COMMAND_SECONDS} seconds"
            return int(os.read(answer, 10) or b"-1")
        finally:
            os.close(answer)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands", str(theirs.fileno())],
            cwd=ROOT,
            env=self.environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        return ours

    def stop(self) -> None:
        if self.process and self.orders:
            self.orders.close()
            self.process.wait()
            self.process = self.orders = None


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(orders: socket.socket) -> None:
    """Until the other end closes."""
    import django

    django.setup()
    import secure_auth.management.operator
    import secure_auth.rings  # noqa: F401 - what most commands import

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who report
    while True:
        message, files, _, _ = socket.recv_fds(orders, 65536, 4)
        if not message:
            return
        if os.fork() == 0:
            orders.close()
            report(json.loads(message), *files)
        for number in files:
            os.close(number)


def report(arguments: list[str], given: int, told: int, complained: int, answer: int) -> NoReturn:
    """Run a command in a further process and tell its status. Neither returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    for place, number in enumerate((given, told, complained)):
        os.dup2(number, place)
    for number in (given, told, complained, answer):
        os.close(number)
    sys.argv = ["manage.py", *arguments]
    end(manage())


def manage() -> int:
    """What `manage.py` does, and the status that it ends with."""
    import runpy

    try:
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
    serve(socket.socket(fileno=int(sys.argv[1])))
