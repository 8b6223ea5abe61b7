"""The files of an export: C2SP tlog-tiles for each log, and beside them what opens the commitments.

docs/verifying.md describes them for strangers.
"""

from pathlib import Path
from typing import Final

from audit.verify.tree import TILE, TILE_HEIGHT

FORMAT: Final = "secure-auth-log-export"
VERSION: Final = 1
MANIFEST: Final = "export.json"
VKEYS: Final = "vkey"
MAX_FILE_BYTES: Final = (
    256 * 1024 * 1024
)  # far more than the longest: 16384 checkpoints, each with cosignatures


def log_directory(root: Path, log: int) -> Path:
    """Where a log's files are."""
    return root / "log" / str(log)


def spell_number(number: int) -> str:
    """A tile's number as a path: 1234067 is x001/x234/067 (C2SP tlog-tiles)."""
    text = f"{number % 1000:03}"
    while number := number // 1000:
        text = f"x{number % 1000:03}/{text}"
    return text


def tile_path(level: int | str, number: int, size: int) -> str:
    """The tile of a level, or "entries", of a tree of `size` entries; a partial one ends with .p/ and its width."""
    count = size >> (TILE_HEIGHT * level) if isinstance(level, int) else size
    return f"tile/{level}/{_spell(number, count)}"


def openings_path(number: int, size: int) -> str:
    """The openings of 256 entries, numbered as their bundle."""
    return f"openings/{_spell(number, size)}"


def checkpoints_path(number: int) -> str:
    """The stored checkpoints of one range of entries."""
    return f"checkpoints/{spell_number(number)}"


def _spell(number: int, count: int) -> str:
    width = min(TILE, count - number * TILE)
    return spell_number(number) if width == TILE else f"{spell_number(number)}.p/{width}"


def width_of(number: int, count: int) -> int:
    """How many of `count` hashes or entries a tile has."""
    return max(0, min(TILE, count - number * TILE))
