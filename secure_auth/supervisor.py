"""Keeps the processes of one node alive and ends them together.

Promises: a child that dies is started again, with growing pauses; SIGINT, SIGTERM and SIGHUP end every child
within STOP_SECONDS; on Linux the kernel ends the children even when this process is killed.
Refuses to go on when a child dies before the node has ever been ready: a restart cannot mend a broken start.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

STOP_SECONDS = 8.0
READY_SECONDS = 60.0
POLL_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM to this process when `parent` dies; leave at once if it is dead already."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)


@dataclass
class Child:
    """One child process and how its restarts go."""

    name: str
    command: Sequence[str]
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    pause_seconds: float = field(default=0.0, init=False)

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C on the terminal reaches the supervisor only.

        `preexec_fn` is safe here: this process has no threads.
        """
        parent = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603 - the command is ours
            self.command,
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(self.pass_fds),
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(parent),
        )
        self.started_at = time.monotonic()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def plan_restart(self) -> None:
        """Pauses double while the child keeps dying young."""
        now = time.monotonic()
        if now - self.started_at > STEADY_SECONDS:
            self.pause_seconds = 0.0
        self.start_at = now + self.pause_seconds
        self.pause_seconds = min(LONGEST_PAUSE_SECONDS, self.pause_seconds * 2 or 1.0)
        status = self.process.returncode if self.process else None
        logger.error("%s process ended with status %s; it is started again", self.name, status)
        self.process = None

    def send(self, number: int) -> None:
        if self.is_running() and self.process:
            self.process.send_signal(number)

    def kill(self) -> None:
        """The whole session of the child: what it forked goes with it."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """`run` returns the exit status: 0 after a stop that was asked for, 1 when the node did not come up."""

    def __init__(
        self, children: Sequence[Child], is_ready: Callable[[], bool], announce: Callable[[], None]
    ) -> None:
        self.children = children
        self.is_ready = is_ready
        self.announce = announce
        self.ready = False
        self.stop_wanted = threading.Event()

    def run(self) -> int:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self.stop_wanted.set())
        try:
            for child in self.children:
                child.start()
            return self._watch()
        finally:
            self._stop()

    def _watch(self) -> int:
        give_up_at = time.monotonic() + READY_SECONDS
        while not self.stop_wanted.wait(POLL_SECONDS):
            if not self.ready:
                if self.is_ready():
                    self.ready = True
                    self.announce()
                elif time.monotonic() > give_up_at or not all(child.is_running() for child in self.children):
                    return 1
            self._restart_dead()
        return 0

    def _restart_dead(self) -> None:
        for child in self.children:
            if child.process and not child.is_running():
                child.plan_restart()
            if child.process is None and time.monotonic() >= child.start_at:
                child.start()

    def _stop(self) -> None:
        for child in self.children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running() for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self.children:
            child.kill()
