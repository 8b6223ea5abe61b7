"""Judging the log of this installation, or an export of any: what `audit.verify` is given to judge by."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import Error, transaction

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from audit.kept import kept_files
from audit.offline import NotExported, demand_new, write_export
from audit.verify import proofs, verdict
from audit.verify.database import Database
from audit.verify.export import Export
from audit.verify.notes import ED25519, VerifierKey, parse_key
from audit.verify.postgres import Postgres
from audit.verify.sqlite import Sqlite
from audit.verify.state import State
from audit.verify.verdict import Outside, Question
from audit.vocabulary import View
from secure_auth import evidence, integration, keys
from secure_auth.acting import Refused
from secure_auth.errors import Code, Problem
from secure_auth.models import Key

UNREADABLE: Final = (Error, psycopg.Error, sqlite3.Error)  # no database, no tables, no rights
STATE: Final = "verify-log.json"
MAX_GIVEN_BYTES: Final = 8 * 1024 * 1024  # of a checkpoint, a proof or a leaf
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

    `given` are files with checkpoints kept elsewhere; `vkeys` are trusted instead of the audit key ring. The
    witnesses of this installation are known.

    Raises:
        Bad: the first fault.
        Refused: a file or key is none.
    """
    trusted = read_keys(vkeys)
    # read before the database, which then has all that they have
    outside = [read_outside(path) for path in [*given, *_kept()]]
    if not outside:
        say("no checkpoint from outside the database: what is in it is judged by itself")
    question = Question(
        keys=[*trusted, *(witness.key for witness in settings.WITNESSES)],
        ring=tuple if any(key.kind == ED25519 for key in trusted) else ring_keys,
        outside=outside,
        processes=1 if not settings.DATABASE_URL else settings.CPUS,
        resume=resume,
        state=State(settings.DATA_DIR / STATE),
        on_progress=on_progress,
    )
    return verdict.judge(open_database(), question, say)


def verify_export(
    *,
    directory: Path,
    given: Sequence[Path],
    vkeys: Sequence[str],
    say: Callable[[str], None],
    on_progress: Callable[[int, int], None],
) -> str:
    """Judge an export by these keys alone; the line `ok: …`. Wants no database and no settings of a service.

    Raises:
        Bad: the first fault.
        Refused: a file or key is none, or no key of a log is given.
    """
    trusted = read_keys(vkeys)
    if not any(key.kind == ED25519 for key in trusted):
        raise Refused("--export needs --key: the log's verifier key, from where you trust it")
    outside = [read_outside(path) for path in given]
    question = Question(keys=trusted, outside=outside, processes=settings.CPUS, on_progress=on_progress)
    return verdict.judge(partial(Export, directory), question, say)


def export_log(*, directory: Path, source: Source, on_progress: Callable[[int, int], None]) -> int:
    """Write an export of all logs up to their newest checkpoints; how many entries. It is an event itself, before the
    first entry is read.

    Raises:
        Refused: it cannot be written; nothing is left of it.
        Bad: an entry is not what it was.
    """
    try:
        demand_new(directory)
    except NotExported as error:
        raise Refused(str(error)) from error
    _record(View.EXPORT, source)
    database = open_database()()
    try:
        vkeys = [key for head in database.heads() for key in integration.ring_verifier_keys(head.origin)]
        heads = write_export(database, directory, vkeys, on_progress)
    except NotExported as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"{directory} cannot be written: {error.strerror or error}") from error
    finally:
        database.close()
    return sum(head.size for head in heads)


def prove_event(*, event_id: str, source: Source) -> dict[str, Any]:
    """The proof of an event, as audit/events/{id}/proof/ answers it. It is an event itself, also where there is none.

    Raises:
        Refused: there is no such event, or no checkpoint covers it yet.
    """
    try:
        proof = evidence.prove(event_id)
    except Problem as problem:
        pending = problem.code is Code.EVENT_PENDING
        _record(
            View.PROOF, source, event_id if pending else "", Reason.PENDING if pending else Reason.NOT_FOUND
        )
        why = "no checkpoint covers it yet" if pending else "there is no such event"
        raise Refused(f"{event_id[:64]}: {why}") from problem
    _record(View.PROOF, source, event_id)
    return proof.as_dict()


def check_proof(*, path: Path, vkeys: Sequence[str], leaf_path: Path | None) -> str:
    """Judge a proof file, or with a leaf a tlog-proof; the line `ok: …`.

    Raises:
        Bad: it does not prove what it tells.
        Refused: a file or key is none.
    """
    trusted, raw = read_keys(vkeys), read_outside(path).note
    if not raw.startswith(proofs.HEADER):
        if leaf_path is not None:
            raise Refused("--leaf goes with a tlog-proof; a proof in JSON holds its leaf")
        return str(proofs.check_proof(raw, trusted))
    if leaf_path is None:
        raise Refused("a tlog-proof needs --leaf: the file with the leaf that it proves")
    return str(proofs.check_text_proof(raw, _read_given(leaf_path), trusted))


def _record(view: View, source: Source, event_id: str = "", refused: Reason = Reason.NONE) -> None:
    """One audit.read of a command."""
    event = NewEvent(
        type=EventType.AUDIT_READ,
        outcome=Outcome.FAILURE if refused else Outcome.SUCCESS,
        reason=refused or Reason.BY_COMMAND,
        source=source,
        details={"view": view, **({"event": event_id} if event_id else {})},
    )
    with transaction.atomic():
        append(event)


def _kept() -> list[Path]:
    """The checkpoints that this node keeps outside the database."""
    return kept_files(integration.kept_path())


def open_database() -> Callable[..., Database]:
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
        return Outside(str(path), _read_given(path).decode().replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise Refused(f"{path} cannot be read: {error}") from error


def _read_given(path: Path) -> bytes:
    """What an operator names may come from a stranger, by a pipe too: it must not fill all memory."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_GIVEN_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    if len(raw) > MAX_GIVEN_BYTES:
        raise Refused(f"{path} is longer than a checkpoint or a proof can be")
    return raw
