"""Passwords: normal form, hash, verification and the bound on concurrent work.

Argon2id (RFC 9106) with ASVS 11.4.2's parameters; hashes of older or weaker settings verify and are replaced. NFC
before hashing (NIST SP 800-63B-4 section 3.1.1.2), nothing trimmed or truncated. An unknown account costs the same
work as a known one. A node never hashes more passwords at once than its cores and memory bear: beyond that the
answer is 503 at once, since a queue would only move the flood into memory.
"""

import fcntl
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import structlog
from argon2.exceptions import HashingError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw
from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    get_hasher,
    identify_hasher,
    make_password,
    verify_password,
)
from django.db import close_old_connections

from audit.owned import open_owned
from secure_auth import metrics
from secure_auth.errors import service_unavailable
from secure_auth.hashers import is_argon2_of
from throttling.turns import Away

log = structlog.get_logger(__name__)

HASHES_PER_CORE = 8
MEMORY_SHARE = 4  # a quarter of the memory that is free


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with the configured cost."""

    time_cost = settings.ARGON2_TIME_COST
    memory_cost = settings.ARGON2_MEMORY_KIB
    parallelism = settings.ARGON2_PARALLELISM

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the hash's password. Raises MemoryError, see is_argon2_of()."""
        return is_argon2_of(password, encoded.removeprefix("argon2"))

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Do the work that a cheaper stored hash saved, so that its account is not told by time."""
        stored = self.decode(encoded)
        missing = self.memory_cost * self.time_cost - stored["memory_cost"] * stored["time_cost"]
        passes = round(missing / self.memory_cost)
        if passes > 0:
            hash_secret_raw(
                password.encode(),
                salt=secrets.token_bytes(16),
                time_cost=passes,
                memory_cost=self.memory_cost,
                parallelism=self.parallelism,
                hash_len=32,
                type=Type.ID,
            )


@dataclass(frozen=True)
class Proof:
    """Whether a password matched, and its new hash where the stored one is older or weaker than the settings."""

    matches: bool
    upgraded: str = field(default="", repr=False)


def normalize(password: str) -> str:
    """The form that is hashed: NFC."""
    return unicodedata.normalize("NFC", password)


@lru_cache(maxsize=1)
def hash_slots() -> int:
    """How many hashes this node computes at once: HASH_CONCURRENCY, else by cores and free memory."""
    if settings.HASH_CONCURRENCY:
        return int(settings.HASH_CONCURRENCY)
    by_memory = _free_memory_kib() // MEMORY_SHARE // settings.ARGON2_MEMORY_KIB
    return max(1, min(HASHES_PER_CORE * settings.CPUS, by_memory))


def _free_memory_kib() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024)
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


@contextmanager
def hash_slot() -> Iterator[None]:
    """Hold one of the node's slots, or refuse at once.

    A slot is an exclusive flock on one of N files, shared by all processes of the node; the kernel frees it when a
    process dies, so a crash never shrinks the capacity.

    Raises:
        Problem: service_unavailable, all slots are taken, none can be opened, or the memory for a hash is not there.
    """
    close_old_connections()  # gives a pooled connection back: computing holds none
    directory = settings.DATA_DIR / "hash-slots"
    slots = hash_slots()
    first = secrets.randbelow(slots)
    for offset in range(slots):
        try:
            descriptor = open_owned(directory / str((first + offset) % slots))
        except OSError as error:  # a disk that takes no writing, no descriptor left
            log.error("hashing.no_slot", error=error.strerror)
            break
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            with Away():
                yield
        except (HashingError, MemoryError) as error:  # nothing was compared: no password was wrong
            log.error("hashing.failed", error=str(error))
            metrics.count_exhausted("hashing")
            raise service_unavailable() from error
        finally:
            os.close(descriptor)
        return
    metrics.count_exhausted("hashing")
    raise service_unavailable()


def hash_password(password: str) -> str:
    """Argon2id in PHC form behind Django's prefix. Never inside a database transaction.

    Raises:
        Problem: service_unavailable, all hashing capacity is taken.
    """
    with hash_slot():
        return make_password(normalize(password))


def check_password(password: str, encoded: str | None, *, decoy: str = "", upgrades: bool = True) -> Proof:
    """Compare with a stored hash; None (no account) costs the same work, that of `decoy` if any, and never matches.

    `upgrades` False: for who is refused in any case, whom the time of a second hash would tell that it matched.

    Raises:
        Problem: service_unavailable, all hashing capacity is taken.
    """
    with hash_slot():
        matches, outdated = _verify(normalize(password), encoded or decoy or dummy_hash())
        matches = matches and encoded is not None
        if not (matches and outdated):
            return Proof(matches)
        if upgrades:
            return Proof(matches, make_password(normalize(password)))
        _take_time_of_wrong(normalize(password), encoded or "")
        return Proof(matches)


def _verify(password: str, encoded: str) -> tuple[bool, bool]:
    """Whether a password matches, and whether its hash is to be replaced: Django's, without its detours for today's."""
    if not _todays_form().fullmatch(encoded):
        return verify_password(password, encoded)
    return is_argon2_of(password, encoded.removeprefix("argon2")), False


@lru_cache(maxsize=1)
def _todays_form() -> re.Pattern[str]:
    """A hash of the configured cost with a salt as long as Django's and 32 bytes of digest: nothing to replace."""
    cost = f"m={Argon2Hasher.memory_cost},t={Argon2Hasher.time_cost},p={Argon2Hasher.parallelism}"
    return re.compile(
        rf"argon2\$argon2id\$v={ARGON2_VERSION}\${cost}\$[\w+/]{{30,64}}\$[\w+/]{{43}}", re.ASCII
    )


def _take_time_of_wrong(password: str, encoded: str) -> None:
    """Do what Django's verify_password() does for a wrong password, and leaves out for a right one."""
    hasher = identify_hasher(encoded)
    if hasher.algorithm == get_hasher().algorithm:
        hasher.harden_runtime(password, encoded)


@lru_cache(maxsize=1)
def dummy_hash() -> str:
    """The hash of a password that nobody knows, with today's cost."""
    return make_password(secrets.token_urlsafe(32))
