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
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess

STOP_SECONDS = 8.0
READY_SECONDS = 60.0
POLL_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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


def do_apart(work: Callable[[], None]) -> None:
    """Do something in a process of its own, so that what it leaves behind is no child's. Raises what it raises."""
    receiver, sender = FORK.Pipe(duplex=False)

    def act() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C breaks off no migration
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the parent raises it
            sender.send(error)
        else:
            sender.send(None)

    process = FORK.Process(target=act)
    process.start()
    sender.close()
    try:
        error = receiver.recv()
    except EOFError:
        raise RuntimeError("the process that prepares the start was killed") from None
    finally:
        process.join()
    if error is not None:
        raise error


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A signal between a fork and the child's own handlers waits for them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@dataclass
class Child:
    """One child process, what it does, and how its restarts go. `ps -o comm` shows its name."""

    name: str
    work: Callable[[], None]
    process: ForkProcess | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    pause_seconds: float = field(default=0.0, init=False)

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C on the terminal reaches the supervisor only."""
        self.process = FORK.Process(target=self._live, args=(os.getpid(),), name=self.name)
        with _signals_held():
            self.process.start()
        self.started_at = time.monotonic()

    def _live(self, parent: int) -> None:
        os.setsid()
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        end_with_parent(parent)
        if _libc is not None:
            _libc.prctl(PR_SET_NAME, self.name.encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        self.work()

    def is_running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def plan_restart(self) -> None:
        """Pauses double while the child keeps dying young."""
        now = time.monotonic()
        if now - self.started_at > STEADY_SECONDS:
            self.pause_seconds = 0.0
        self.start_at = now + self.pause_seconds
        self.pause_seconds = min(LONGEST_PAUSE_SECONDS, self.pause_seconds * 2 or 1.0)
        status = self.process.exitcode if self.process else None
        logger.error("%s process ended with status %s; it is started again", self.name, status)
        self.process = None

    def send(self, number: int) -> None:
        if self.is_running() and self.process and self.process.pid:
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """The whole session of the child: what it forked goes with it."""
        if self.process and self.process.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.join()


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
