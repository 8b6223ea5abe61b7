"""A directory of this test run, which its processes share: made when it is asked for, and removed at the end."""

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

NAME = "SECURE_AUTH_TEST_RUN"  # pytest-xdist's processes inherit it of the one that started them
IS_FIRST = NAME not in os.environ
RUN = os.environ.setdefault(NAME, secrets.token_hex(6))
DIRECTORY = Path(tempfile.gettempdir()) / f"secure-auth-{RUN}"


def directory() -> Path:
    DIRECTORY.mkdir(mode=0o700, exist_ok=True)
    return DIRECTORY


def at_the_end(act: Callable[[], None]) -> None:
    """When the run is over, and before what was asked for earlier; nothing in the processes that it starts."""
    if IS_FIRST:
        atexit.register(act)


at_the_end(lambda: shutil.rmtree(DIRECTORY, ignore_errors=True))
