"""Judging the log of this installation: what `audit.verify` is given to judge by. It only looks."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from audit.verify import verdict
from audit.verify.notes import VerifierKey, parse_key
from audit.verify.postgres import Postgres
from audit.verify.sqlite import Sqlite
from audit.verify.state import State
from audit.verify.verdict import Outside, Question
from audit.verify.workers import Opener
from secure_auth import integration, keys
from secure_auth.administration import Refused
from secure_auth.models import Key

_SET_ASIDE: Final = "checkpoint.[0-9]*"  # those of logs that ended (audit.kept)
STATE: Final = "verify-log.json"
_ENGINE_OPTIONS: Final = ("HOST", "PORT", "USER", "PASSWORD")


def verify_log(
    *,
    given: Sequence[Path],
    vkeys: Sequence[str],
    resume: bool,
    say: Callable[[str], None],
    on_progress: Callable[[int, int], None],
) -> str:
    """Judge the log in the database; the line `ok: …`.

    `given` are files with checkpoints kept elsewhere; `vkeys` are trusted instead of the audit key ring.

    Raises:
        Bad: the first fault.
        Refused: a file or key is none.
    """
    outside = [read_outside(path) for path in [*given, *_kept()]]  # before the database: it has all that they have
    if not outside:
        say("no checkpoint from outside the database: what is in it is judged by itself")
    question = Question(
        keys=read_keys(vkeys),
        ring=() if any(key.kind == 1 for key in read_keys(vkeys)) else ring_keys(),
        outside=outside,
        processes=1 if not settings.DATABASE_URL else settings.CPUS,
        resume=resume,
        state=State(settings.DATA_DIR / STATE),
        on_progress=on_progress,
    )
    return verdict.judge(open_database(), question, say)


def _kept() -> list[Path]:
    """The checkpoints that this node keeps outside the database."""
    kept = integration.kept_path()
    aside = [path for path in sorted(kept.parent.glob(_SET_ASIDE)) if path.suffix[1:].isdecimal()]
    return [kept, *aside] if kept.exists() else aside


def open_database() -> Opener:
    """How the database of this installation is opened for judging."""
    if not settings.DATABASE_URL:
        return partial(Sqlite, Path(str(settings.DATABASES["default"]["NAME"])))
    return partial(Postgres, _connection_parameters(settings.DATABASES["default"]))


def _connection_parameters(database: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name != "pool"}
    own = {name.lower(): str(database[name]) for name in _ENGINE_OPTIONS if database.get(name)}
    return {**options, **own, "dbname": database["NAME"]}


def ring_keys() -> list[bytes]:
    """The public keys of the audit ring, from the sealed private ones: a row altered without the master key is none."""
    ring = keys.read_ring(Key.Purpose.AUDIT)
    found = [key.verifying for key in ring.keys.values()]
    return [key.public_bytes_raw() for key in found if isinstance(key, Ed25519PublicKey)]


def read_keys(vkeys: Sequence[str]) -> list[VerifierKey]:
    """Verifier keys, of logs and witnesses.

    Raises:
        Refused: one is malformed.
    """
    try:
        return [parse_key(each) for each in vkeys]
    except ValueError as error:
        raise Refused(f"--key: {error}") from error


def read_outside(path: Path) -> Outside:
    """A signed checkpoint in a file.

    Raises:
        Refused: the file cannot be read.
    """
    try:
        return Outside(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
