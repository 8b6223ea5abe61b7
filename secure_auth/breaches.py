"""Whether a password is known from breaches: a local copy of the list, or a range API by k-anonymity.

The API sees the first five hexadecimal digits of the SHA-1 and nothing else; about a thousand other passwords share
them. Whoever is away, slow or talks nonsense keeps nobody from a password: the answer is then "not known", a count and
a log line. No look-up runs in a database transaction.
"""

import hashlib
import os
import re
import threading
import time
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path

import httpx
import structlog
from django.conf import settings
from django.db import close_old_connections

from secure_auth import metrics
from secure_auth.outgoing import Caller
from throttling.turns import Away

log = structlog.get_logger(__name__)

PREFIX = 5
STEP_SECONDS = 1.0  # to connect, and for each read
WAIT_SECONDS = 2.0  # nobody waits longer, whatever keeps the answer
PAUSE_SECONDS = 10.0  # after a failure nobody waits for the API again so soon
MOST_BYTES = 1024 * 1024  # twenty times a padded answer
MOST_AT_ONCE = 8  # look-ups of a process: a slow API never holds all its threads
# The last two: no thread can be begun now, no memory is there.
FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError, MemoryError)
LINE = re.compile(rb"([0-9A-Fa-f]{35}):([0-9]{1,10})")
HASH_LENGTH = 40
LONGEST_LINE = 64


class Unavailable(Exception):
    """Nobody can say whether a password is known; the message says why."""


def is_breached(password: str) -> bool:
    """Whether a password, in its normal form, is known to the configured list. Never in a transaction."""
    return _look_up(password, _list(), _range_api())


def is_breached_here(password: str) -> bool:
    """The same by the local list alone: no request leaves the node and nobody waits."""
    return _look_up(password, _list(), None)


def _look_up(password: str, local: "LocalList | None", api: "RangeApi | None") -> bool:
    asked = local or api
    if asked is None:
        return False
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        found = asked.knows(digest)
    except Unavailable as error:
        metrics.count_breach_check("unavailable")
        log.warning("breached_passwords.unavailable", error=str(error))
        return False
    metrics.count_breach_check("breached" if found else "clean")
    return found


@lru_cache(maxsize=1)
def _list() -> "LocalList | None":
    path = settings.BREACHED_PASSWORDS.path
    return LocalList(path) if path else None


@lru_cache(maxsize=1)
def _range_api() -> "RangeApi | None":
    url = settings.BREACHED_PASSWORDS.url
    return RangeApi(url) if url else None


def find_in_range(body: bytes, suffix: str) -> bool:
    """Whether a range holds a suffix; an entry that was seen no times is padding.

    Raises:
        Unavailable: this is no range.
    """
    wanted, found, lines = suffix.encode(), False, body.split()
    if not lines:
        raise Unavailable("empty")
    for line in lines:
        entry = LINE.fullmatch(line)
        if entry is None:
            raise Unavailable("garbage")
        found = found or (entry[1].upper() == wanted and int(entry[2]) > 0)
    return found


class LocalList:
    """An ordered file of lines SHA1:COUNT, searched by halves, or a directory of ranges named by their prefix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def knows(self, digest: str) -> bool:
        """Whether the list holds a SHA-1. It is opened anew each time, so it may be replaced while the service runs.

        Raises:
            Unavailable: it cannot be read, or is none.
        """
        try:
            if self._path.is_dir():
                with (self._path / f"{digest[:PREFIX]}.txt").open("rb") as file:
                    return find_in_range(file.read(MOST_BYTES), digest[PREFIX:])
            with self._path.open("rb") as file:
                return search_ordered(file.fileno(), digest)
        except (OSError, ValueError) as error:
            raise Unavailable(type(error).__name__) from error


def search_ordered(descriptor: int, digest: str) -> bool:
    """Whether a file of lines ordered by hash holds this one: about 30 short reads in 40 GB.

    No mapped memory: that of a file which somebody truncates kills who reads it.

    Raises:
        OSError; ValueError: this is no such file.
    """
    wanted = digest.encode()
    low, high = 0, os.fstat(descriptor).st_size  # the line that is looked for begins in [low, high)
    while low < high:
        begin, line = _line_at(descriptor, (low + high) // 2)
        found = line[:HASH_LENGTH].upper()
        if line[HASH_LENGTH : HASH_LENGTH + 1] != b":":
            raise ValueError("not a line of SHA1:COUNT")
        if found == wanted:
            return True
        if found < wanted:
            low = begin + len(line)
        else:
            high = begin
    return False


def _line_at(descriptor: int, at: int) -> tuple[int, bytes]:
    """The line that holds the byte `at`, with its end, and where it begins."""
    earliest = max(0, at - LONGEST_LINE)
    window = os.pread(descriptor, at - earliest + LONGEST_LINE, earliest)
    begin = window.rfind(b"\n", 0, at - earliest) + 1
    return earliest + begin, window[begin:].partition(b"\n")[0] + b"\n"


class RangeApi:
    """A service that answers the range of a prefix, as Have I Been Pwned does. One for a process.

    It is asked in threads of its own: neither a slow name server nor an answer that drips keeps anybody longer than
    WAIT_SECONDS, and never more than MOST_AT_ONCE of them are busy with it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._free = [Caller(WAIT_SECONDS, timeout=STEP_SECONDS) for _ in range(MOST_AT_ONCE)]
        self._retry_at = 0.0

    def knows(self, digest: str) -> bool:
        """Whether the service knows a SHA-1, of which it is told five digits.

        Raises:
            Unavailable: it is away, slow or busy, or its answer is none.
        """
        if time.monotonic() < self._retry_at:
            raise Unavailable("pause")
        close_old_connections()  # gives a pooled connection back: waiting holds none
        try:
            caller = self._free.pop()
        except IndexError:
            raise Unavailable("busy") from None
        try:
            asked = self._ask(caller, digest[:PREFIX])
            with Away():
                found = asked.result(WAIT_SECONDS)
            return find_in_range(found, digest[PREFIX:])
        except (Unavailable, *FAILURES) as error:
            self._retry_at = time.monotonic() + PAUSE_SECONDS
            raise Unavailable(
                str(error) if isinstance(error, Unavailable) else type(error).__name__
            ) from error

    def _ask(self, caller: Caller, prefix: str) -> Future[bytes]:
        """The body of a range, as soon as it is there; gives the caller back then, and at once where no thread begins.

        No executor: one that can begin no thread keeps what it was given, and the caller with it.
        """
        asked: Future[bytes] = Future()
        thread = threading.Thread(target=self._fetch, args=(caller, prefix, asked), name="range", daemon=True)
        try:
            thread.start()
        except BaseException:
            self._free.append(caller)
            raise
        return asked

    def _fetch(self, caller: Caller, prefix: str, asked: Future[bytes]) -> None:
        try:
            asked.set_result(self._read(caller, prefix))
        except BaseException as error:  # noqa: BLE001 - told to who waits
            asked.set_exception(error)
        finally:
            self._free.append(caller)

    def _read(self, caller: Caller, prefix: str) -> bytes:
        """The body of a range, bounded in time and size."""
        body = bytearray()
        headers = {"Add-Padding": "true", "Accept-Encoding": "identity", "User-Agent": "secure-auth"}
        with caller.ask("GET", self._url + prefix, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK or "Content-Encoding" in answer.headers:
                raise Unavailable(f"status {answer.status_code}")
            for part in answer.iter_raw():
                body += part
                if len(body) > MOST_BYTES:
                    raise Unavailable("too much")
        return bytes(body)
