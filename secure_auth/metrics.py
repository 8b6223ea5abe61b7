"""What the service counts, and how all processes of a node tell it together at /metrics.

A node's processes count into files of one directory (prometheus-client's multiprocess mode): `share` names it before
they are started, `begin` opens a worker's own file, `bury` adds that of a dead worker to the counts of all dead.
Any other process, such as a management command, counts for itself in memory and touches no file.

Promises: no label carries an address, an e-mail, an id or other personal data; no request fails for its metrics.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from django.conf import settings
from django.db import Error
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from audit import checkpoints, tree
from secure_auth import env
from throttling import metrics as limits
from throttling.metrics import REGISTRY, count, counter

logger = logging.getLogger(__name__)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
FILE_BYTES = 64 * 1024  # four times what all counters take
THE_DEAD = 0  # the process id whose file holds the counts of dead workers
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BREACH_OUTCOMES = ("breached", "clean", "unavailable")
TOKEN_FAULTS = ("malformed", "forged", "expired", "session_ended")

REQUESTS = counter("http_requests", "Answers by class of status.", "status")
TOKENS_REFUSED = counter(
    "access_tokens_refused", "Access tokens refused, by what was wrong with them.", "reason"
)
BREACH_CHECKS = counter(
    "breached_password_checks", "Passwords looked up among those known from breaches.", "outcome"
)
CAPACITY_REFUSALS = counter("capacity_refusals", "503 because all capacity of a kind was taken.", "resource")


def count_answer(status: int) -> None:
    """One answer of this status."""
    count(REQUESTS, f"{status // 100}xx")


def count_refused_token(fault: str) -> None:
    """One access token refused, for one of TOKEN_FAULTS."""
    count(TOKENS_REFUSED, fault)


def count_breach_check(outcome: str) -> None:
    """One password looked up, with one of BREACH_OUTCOMES."""
    count(BREACH_CHECKS, outcome)


def count_exhausted(resource: str) -> None:
    """One 503 because all of a resource was taken."""
    count(CAPACITY_REFUSALS, resource)


def share(directory: Path) -> None:
    """Have all processes that this one starts count in `directory`, from zero.

    Raises:
        OSError: the directory cannot be used.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    for old in directory.iterdir():
        old.unlink(missing_ok=True)
    _allocate(directory, THE_DEAD)
    env.hand_down(DIRECTORY, str(directory))
    values.ValueClass = (
        values.get_value_class()
    )  # chosen when it was imported, before the directory had a name


def begin() -> None:
    """Called in each worker right after its fork, before it has threads."""
    directory = _directory()
    if directory is None:
        return
    try:
        _allocate(directory, os.getpid())
        _begin_at_zero()
    except (OSError, ValueError, RuntimeError) as error:
        logger.error("metrics: this worker counts nothing: %s", error)
        limits.stop_counting()


def _begin_at_zero() -> None:
    outcomes = (limits.GRANTED, limits.REFUSED, limits.IN_FLIGHT)
    for counted, choices in (
        (limits.DECISIONS, product(settings.LIMITS, outcomes)),
        (limits.LOCKOUTS, product(settings.LIMITS)),
        (limits.STORE_DECISIONS, product(("database", "redis"))),
        (limits.FAILOVERS, product(("redis",))),
        (REQUESTS, product(STATUS_CLASSES)),
        (TOKENS_REFUSED, product(TOKEN_FAULTS)),
        (BREACH_CHECKS, product(BREACH_OUTCOMES)),
        (CAPACITY_REFUSALS, product(("hashing",))),
    ):
        limits.begin_at_zero(counted, choices)


def bury(pid: int) -> None:
    """Add the counts of a dead worker to those of all dead, so that restarts neither lose counts nor leave files."""
    directory = _directory()
    if directory is None:
        return
    with contextlib.suppress(Exception), _alone(directory, fcntl.LOCK_EX):
        own = _file(directory, pid)
        try:
            kept = MmapedDict(str(_file(directory, THE_DEAD)))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(own)):
                kept.write_value(key, kept.read_value(key)[0] + value, 0.0)
            kept.close()
        finally:
            own.unlink(missing_ok=True)


def expose() -> bytes:
    """All counters of this node, and the state of the log and the outbox, in Prometheus' text format."""
    return _expose_counters() + generate_latest(STATE)


def _expose_counters() -> bytes:
    directory = _directory()
    if directory is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))
    with _alone(directory, fcntl.LOCK_SH):
        return generate_latest(registry)


class LogState(Collector):
    """The log as all nodes see it, read when it is asked for. Without the database it tells nothing."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What is pending, and how far signed."""
        try:
            waiting, seconds = tree.pending()
            head = tree.current_head()
            age = checkpoints.newest_age_seconds(head.log) if head else None
        except Error:
            return
        yield gauge("log_pending_events", "Events without a place in the tree.", waiting)
        yield gauge("log_pending_seconds", "How long the oldest of them has waited.", seconds)
        if head and age is not None:
            yield gauge("log_entries", "Entries of the current log.", head.size)
            yield gauge("log_checkpoint_age_seconds", "Since the newest checkpoint was signed.", age)


def gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    """One gauge of this service."""
    return GaugeMetricFamily(f"secure_auth_{name}", told, value=value)


STATE = CollectorRegistry()  # what is read when it is asked for; other modules add their own
STATE.register(LogState())


def _directory() -> Path | None:
    value = env.text(DIRECTORY)
    return Path(value) if value else None


def _file(directory: Path, pid: int) -> Path:
    return directory / f"counter_{pid}.db"


def _allocate(directory: Path, pid: int) -> None:
    """Make a process's file with all its blocks: mapped memory without a block behind it kills who writes there."""
    path = _file(directory, pid)
    path.touch(mode=0o600)
    if path.stat().st_size < FILE_BYTES:
        path.write_bytes(bytes(FILE_BYTES))


@contextlib.contextmanager
def _alone(directory: Path, how: int) -> Iterator[None]:
    """A dead worker's counts move at no moment when somebody reads: they would be told twice, or not at all."""
    with (directory / "lock").open("a") as file:
        fcntl.flock(file, how)
        yield
