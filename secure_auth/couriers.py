"""Checkpoints carried off the machine without a witness: appended to a file, or handed to an operator's program.

Each has the newest checkpoint brought to it, at least once and at most about once a second; one that fails is tried
again with growing pauses, and keeps nothing else from its work. What was appended is never rewritten.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings

from audit import cosignatures, tree
from audit.cosignatures import Signed

log = structlog.get_logger(__name__)

COMMAND_SECONDS = 30
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0
TAIL_BYTES = 8 * 1024  # more than one checkpoint is long


@dataclass
class Courier:
    """One way out, and how it stands."""

    name: str
    deliver: Callable[[str], None]
    delivered: tuple[int, int] = (0, 0)  # log and size
    retry_at: float = 0.0
    pause_seconds: float = 0.0

    def bring(self, newest: Signed) -> None:
        """Bring the newest checkpoint, unless it is there or the last failure is too fresh."""
        if self.delivered >= (newest.log, newest.size) or time.monotonic() < self.retry_at:
            return
        try:
            self.deliver(newest.note)
        except (OSError, subprocess.SubprocessError) as error:
            self.pause_seconds = min(LONGEST_PAUSE_SECONDS, self.pause_seconds * 2 or FIRST_PAUSE_SECONDS)
            self.retry_at = time.monotonic() + self.pause_seconds
            log.warning("checkpoint.undelivered", to=self.name, error=type(error).__name__)
            return
        self.delivered, self.pause_seconds = (newest.log, newest.size), 0.0


class Dispatch:
    """All configured couriers."""

    def __init__(self) -> None:
        self._couriers = []
        if settings.CHECKPOINT_FILE:
            deliver = partial(append_to, Path(settings.CHECKPOINT_FILE))
            self._couriers.append(Courier("CHECKPOINT_FILE", deliver))
        if settings.CHECKPOINT_COMMAND:
            self._couriers.append(
                Courier("CHECKPOINT_COMMAND", partial(hand_to, settings.CHECKPOINT_COMMAND))
            )

    def bring_newest(self) -> None:
        """Bring the newest checkpoint to each. For the worker, once a second."""
        head = tree.current_head() if self._couriers else None
        newest = cosignatures.newest_signed(head.log) if head else None
        if newest is None:
            return
        for courier in self._couriers:
            courier.bring(newest)


def append_to(path: Path, note: str) -> None:
    """Append a checkpoint and see it on the disk, unless the file ends with it already.

    Processes that append at once take turns. What a crash left half written is ended by a line feed and stays.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - TAIL_BYTES))
        tail, told = file.read(), note.encode()
        if tail.endswith(told):
            return
        file.write(told if not tail or tail.endswith(b"\n") else b"\n" + told)
        file.flush()
        os.fsync(file.fileno())


_running: set[int] = set()  # the process groups of commands


def hand_to(command: list[str], note: str) -> None:
    """Give a checkpoint to a program on its standard input. What it writes to standard error is shown.

    One that is ended goes with all that it started: a pipeline that hangs would stay once for each try.

    Raises:
        OSError, SubprocessError: it cannot be started, fails, or takes more than COMMAND_SECONDS.
    """
    with subprocess.Popen(  # noqa: S603 the operator's own command, without a shell
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0
    ) as process:
        _running.add(process.pid)
        try:
            process.communicate(note.encode(), timeout=COMMAND_SECONDS)
        except BaseException:
            _end(process.pid)
            raise
        finally:
            _running.discard(process.pid)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def end_commands() -> None:
    """End what still runs: the worker stops, and its own group is not theirs."""
    for group in list(_running):
        _end(group)


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
