"""Files and directories that commands and the service share: of the directory's owner, even where root runs a command.

Else the service could not open them. A new one is no link, or who owns the directory could have root give a file of
others away.
"""

import contextlib
import os
from pathlib import Path


def open_owned(path: Path) -> int:
    """Open a file for reading and writing, made where it is missing. A link is refused."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        with contextlib.suppress(FileExistsError):  # made meanwhile
            return create_owned(path)


def create_owned(path: Path) -> int:
    """Make a file.

    Raises:
        FileExistsError: there is one, or a link.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    _give(descriptor, path)
    return descriptor


def make_owned(path: Path) -> None:
    """Make a directory, unless it is there."""
    if path.is_dir():
        return
    path.mkdir(mode=0o700, exist_ok=True)  # made meanwhile
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _give(descriptor, path)
    finally:
        os.close(descriptor)


def _give(descriptor: int, path: Path) -> None:
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def replace_owned(path: Path, text: str) -> None:
    """Write a file anew. It is whole before it has its name, and a power cut takes neither away afterwards."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # of a crash
    with os.fdopen(create_owned(draft), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
