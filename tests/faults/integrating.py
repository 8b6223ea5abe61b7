"""Turns of the integrator, each in a process of its own: `python -m tests.faults.integrating`, led by standard input.

`turn KIND N` begins one and prints `begun PID`. At its N-th statement, counted from 1, it stops itself (KIND stop),
kills itself (kill) or goes on (none); `keep` kills it just before the checkpoint is kept. `wait PID` prints `ended PID
STATEMENTS` once it has ended, with 0 statements where it was killed. Processes are forked: Python starts once.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from secure_auth import integration  # noqa: E402

SIGNALS = {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}


class Counted:
    """Counts statements, and sends the process a signal before one of them."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.seen = kind, at, 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.seen += 1
        if self.seen == self.at and self.kind in SIGNALS:
            os.kill(os.getpid(), SIGNALS[self.kind])
        return execute(*arguments)


def turn(kind: str, at: int) -> int:
    counted = Counted(kind, at)
    if kind == "keep":
        setattr(integration, "keep", lambda *_: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010
    with connection.execute_wrapper(counted):
        integration.Logbook().advance()
    return min(counted.seen, 255)


def begin(kind: str, at: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    sys.stdout = sys.stderr
    status = 0
    try:
        status = turn(kind, at)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        command, *words = line.split()
        if command == "turn":
            print("begun", begin(words[0], int(words[1])), flush=True)
        else:
            _, status = os.waitpid(int(words[0]), 0)
            print(
                "ended",
                words[0],
                os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 0,
                flush=True,
            )


main()
