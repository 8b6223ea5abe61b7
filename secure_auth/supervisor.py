"""Keeps the processes of one node alive and ends them together.

The children are forked from this process, which has loaded the code and done nothing else with it: no connection, no
thread and no random state is there for two of them to share.

Promises: a child that dies is started again, with growing pauses; SIGINT, SIGTERM and SIGHUP end every child
within STOP_SECONDS; on Linux the kernel ends the children even when this process is killed.
Refuses to go on when a child dies before the node has ever been ready: a restart cannot mend a broken start.
"""

import contextlib
import ctypes
import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

from secure_auth.stopping import STOP_SIGNALS, Stop, release_signals, signals_held

STOP_SECONDS = 8.0
READY_SECONDS = 60.0
POLL_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
ORPHAN_SECONDS = 8.0  # longer than a web worker takes to notice that it is one, and to finish what it began
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
FORK = multiprocessing.get_context("fork")

logger = logging.getLogger(__name__)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM to this process when `parent` dies; leave at once if it is dead already."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)


@contextlib.contextmanager
def _no_descriptor_left() -> Iterator[None]:
    """Close what a fork that fails leaves open: multiprocessing's pipes, which in hours would be all descriptors."""
    before = _descriptors()
    try:
        yield
    except OSError:
        for left in _descriptors() - before:
            os.close(left)
        raise


def _descriptors() -> set[int]:
    found = set()
    for path in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            os.fstat(int(path.name))
            found.add(int(path.name))
    return found


@dataclass
class Child:
    """One child process, what it does, and how its restarts go. `ps -o comm` shows its name."""

    name: str
    work: Callable[[], None]
    process: ForkProcess | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    pause_seconds: float = field(default=0.0, init=False)
    # Sessions of dead ones, and until when what is left of them may go on.
    orphans: dict[int, float] = field(default_factory=dict, init=False)

    def start(self) -> None:
        """Fork. In a session of its own, so that Ctrl-C on the terminal reaches the supervisor only."""
        self.process = FORK.Process(target=self._live, args=(os.getpid(),), name=self.name)
        self.started_at = time.monotonic()  # before it: a fork that fails died young
        with signals_held(), _no_descriptor_left():
            self.process.start()

    def _live(self, parent: int) -> None:
        os.setsid()
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        end_with_parent(parent)
        if _libc is not None:
            _libc.prctl(PR_SET_NAME, self.name.encode())
        release_signals()
        self.work()

    def is_running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def plan_restart(self, why: str) -> None:
        """Pauses double while the child keeps dying young."""
        now = time.monotonic()
        if now - self.started_at > STEADY_SECONDS:
            self.pause_seconds = 0.0
        self.start_at = now + self.pause_seconds
        self.pause_seconds = min(LONGEST_PAUSE_SECONDS, self.pause_seconds * 2 or 1.0)
        logger.error("%s process %s; it is started again", self.name, why)
        if self.process and self.process.pid:
            self.orphans[self.process.pid] = now + ORPHAN_SECONDS
        self.process = None

    def end_orphans(self, now: float) -> None:
        """Kill what children of this one left behind that does not end by itself: it would keep the port bound."""
        for session in [one for one, since in self.orphans.items() if since <= now]:
            del self.orphans[session]
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(session, 0)
                continue  # the id is somebody else's by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(session, signal.SIGKILL)

    def end(self) -> str:
        """How it ended, in words."""
        status = self.process.exitcode if self.process else None
        return f"ended with status {status}"

    def send(self, number: int) -> None:
        if self.is_running() and self.process and self.process.pid:
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """The whole session of the child, and of those before it: what they forked goes with them."""
        self.end_orphans(float("inf"))
        if self.process and self.process.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.join()


class Supervisor:
    """`run` returns the exit status: 0 after a stop that was asked for, 1 when the node did not come up."""

    def __init__(
        self,
        children: Sequence[Child],
        is_ready: Callable[[], bool],
        announce: Callable[[], None],
        stop_listening: Callable[[], None],
    ) -> None:
        self.children = children
        self.stop_listening = stop_listening
        self.is_ready = is_ready
        self.announce = announce
        self.ready = False
        self.stop_wanted = Stop()

    def heed_signals(self) -> None:
        """From now on a signal asks for a stop, and nothing else. SIGHUP stays ignored where `nohup` began it so."""
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: self.stop_wanted.set())

    def do_apart(self, work: Callable[[], None]) -> int | None:
        """Do something in a process of its own, so that no child has what it leaves behind: connections, threads.

        Its exit status, negative for a signal; None when it was broken off, since a stop was asked for.
        """
        child = Child("auth-start", work)
        child.start()
        while child.is_running() and child.process and not self.stop_wanted.is_set():
            multiprocessing.connection.wait([child.process.sentinel], POLL_SECONDS)
        if child.process and not child.is_running():
            return child.process.exitcode
        child.kill()
        return None

    def run(self) -> int:
        gc.collect()
        gc.freeze()  # what is loaded now stays in pages that all children share
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
                elif dead := [child for child in self.children if not child.is_running()]:
                    logger.error("%s process %s", dead[0].name, dead[0].end())
                    return 1
                elif time.monotonic() > give_up_at:
                    logger.error("no answer from the web server within %d seconds", READY_SECONDS)
                    return 1
            self._restart_dead()
        return 0

    def _restart_dead(self) -> None:
        for child in self.children:
            child.end_orphans(time.monotonic())
            if child.process and not child.is_running():
                child.plan_restart(child.end())
            if child.process is None and time.monotonic() >= child.start_at:
                try:
                    child.start()
                except OSError as error:  # short of memory: later, and the others live on
                    child.process = None
                    child.plan_restart(f"could not be forked ({error.strerror})")

    def _stop(self) -> None:
        self.stop_listening()
        for child in self.children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running() for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self.children:
            child.kill()
