"""The master key, which seals the key rings: from the environment, from a command, or from a file.

Refuses a file that others can read in production, and says so elsewhere. Prints no key, nor what the command said.
"""

import hashlib
import logging
import os
import stat
import subprocess
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from secure_auth.env import parse_master_key

COMMAND_SECONDS = 30
MOST_BYTES = 4096  # of a file or an answer that holds a key: what has no end would fill memory
logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def master_key() -> bytes:
    """The key that seals the rings: MASTER_KEY, what MASTER_KEY_COMMAND prints, or the file.

    Raises:
        ImproperlyConfigured: there is none, or it is not one.
    """
    if settings.MASTER_KEY:
        return bytes(settings.MASTER_KEY)
    if settings.MASTER_KEY_COMMAND:
        return _master_key_of_command()
    path = settings.MASTER_KEY_FILE
    try:
        with path.open("rb") as file:
            held, status = file.read(MOST_BYTES), os.fstat(file.fileno())
    except OSError as error:
        raise ImproperlyConfigured(f"MASTER_KEY is not set and {path} cannot be read") from error
    _refuse_open_file(path, status)
    try:
        return parse_master_key(held.decode("ascii").strip())
    except ValueError as error:
        told = f"{path} does not hold a key of 32 random bytes in base64 or hexadecimal"
        raise ImproperlyConfigured(told) from error


def master_keys() -> list[bytes]:
    """The master key, and the one before it while MASTER_KEY_PREVIOUS names that: rings open by either."""
    previous = settings.MASTER_KEY_PREVIOUS
    return [master_key(), *([bytes(previous)] if previous else [])]


def fingerprint(master: bytes) -> str:
    """What a master key is called in the log: 128 bits of a hash of 256 random ones."""
    return hashlib.sha256(b"secure-auth master key" + master).hexdigest()[:32]


def _refuse_open_file(path: Path, status: os.stat_result) -> None:
    """The rule of PostgreSQL's server key: nobody but the owner reads it; where that is root, a group may.

    Who can read the file opens every key and second factor in a copy of the database.
    """
    allowed = 0o740 if status.st_uid == 0 else 0o700
    if not stat.S_IMODE(status.st_mode) & ~allowed:
        return
    told = f"MASTER_KEY_FILE: others can read {path}: give it mode 0600, or 0640 where root owns it"
    if settings.PRODUCTION:
        raise ImproperlyConfigured(told)
    logger.warning(told)


def _master_key_of_command() -> bytes:
    """Ask a key management service. What the command writes to standard error is shown, its output never.

    Nobody reads while it runs: one that prints more than a pipe holds waits for that, and is ended.
    """
    command = settings.MASTER_KEY_COMMAND
    reads, writes = os.pipe()
    try:
        with os.fdopen(reads, "rb", buffering=0) as answer, os.fdopen(writes, "wb") as its_end:
            subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                command, stdin=subprocess.DEVNULL, stdout=its_end, timeout=COMMAND_SECONDS, check=True
            )
            os.set_blocking(reads, False)  # it may have printed nothing
            printed = answer.read(MOST_BYTES) or b""
        return parse_master_key(printed.decode("ascii").strip())
    except subprocess.CalledProcessError as error:
        told = f"MASTER_KEY_COMMAND: {command[0]} ended with status {error.returncode}"
        raise ImproperlyConfigured(told) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise ImproperlyConfigured(f"MASTER_KEY_COMMAND: {command[0]} did not answer") from error
    except ValueError as error:
        raise ImproperlyConfigured("MASTER_KEY_COMMAND printed no key of 32 random bytes") from error
