"""What the witnesses remember of a log, asked once, before its successor begins.

A witness of C2SP tlog-witness answers a checkpoint that does not follow what it cosigned last with 409 and that size;
`manage.py witness` hands out the checkpoint too. The size is its word. The checkpoint is proof: the log signed it.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread
from urllib.parse import quote

import httpx
from django.conf import settings

from audit.notes import Checkpoint, read_checkpoint
from audit.verify.notes import Note, VerifierKey, parse_note, verify_cosignature, verify_note
from audit.witness.submission import format_submission, signed_by
from secure_auth.outgoing import Caller
from secure_auth.witness_settings import Witness
from secure_auth.witnesses import Answer, ask, make_caller, size_told

RECALL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What a witness remembers of a log; size None: it said nothing of it, and `why`."""

    witness: str
    size: int | None
    checkpoint: Checkpoint | None = None
    why: str = ""


def recall(*, origin: str, known: Checkpoint | None, keys: Sequence[VerifierKey]) -> list[Memory]:
    """Ask every configured witness for the newest checkpoint of a log, all at once.

    `known` is a checkpoint that this log signed, to be shown to witnesses that hand out none; `keys` are the log's.
    Returns within RECALL_SECONDS, whatever they do, and raises nothing: who said nothing is told in the answer.
    """
    found = {it.key.name: Memory(it.key.name, None, why="no answer in time") for it in settings.WITNESSES}

    def put(witness: Witness) -> None:
        found[witness.key.name] = _recall(origin, known, keys, witness)

    # not a pool's: the end of the program waits for those, and a witness may send its answer byte by byte
    threads = [Thread(target=put, args=(witness,), daemon=True) for witness in settings.WITNESSES]
    deadline = time.monotonic() + RECALL_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(found.values())


def _recall(origin: str, known: Checkpoint | None, keys: Sequence[VerifierKey], witness: Witness) -> Memory:
    name = witness.key.name
    with contextlib.closing(make_caller()) as caller:
        answer = ask(caller, f"{witness.url}/checkpoint/{quote(origin, safe='/:')}")
        handed, why = _handed_out(answer, origin, [*keys, witness.key])
        if not answer.status:
            return Memory(name, None, why=why)
        told, why_not = _told(caller, witness, known)
    sizes = [size for size in (told, handed.size if handed else None) if size is not None]
    return Memory(name, max(sizes), handed, why) if sizes else Memory(name, None, why=why_not)


def _handed_out(answer: Answer, origin: str, keys: Sequence[VerifierKey]) -> tuple[Checkpoint | None, str]:
    """The checkpoint in an answer if the log signed it, with no signatures but those of the keys; else why not."""
    if answer.status != httpx.codes.OK:
        return None, f"answered {answer.status}" if answer.status else answer.body
    try:
        note = parse_note(answer.body)
        verify_note(note, keys)
        checkpoint = read_checkpoint(_signed_alone(note, keys))
    except ValueError as error:
        return None, f"handed out what the log did not sign: {error}"
    return (checkpoint, "") if checkpoint.origin == origin else (None, "handed out what is of another log")


def _signed_alone(note: Note, keys: Sequence[VerifierKey]) -> str:
    """The note without strangers' signatures.

    Raises:
        NotSigned: a cosignature is forged.
    """
    alone = signed_by(note, keys)
    for line in alone.removeprefix(f"{note.text}\n").splitlines():
        verify_cosignature(line, note.text, keys)
    return alone


def _told(caller: Caller, witness: Witness, known: Checkpoint | None) -> tuple[int | None, str]:
    """The size that a witness says it cosigned last; else why there is none.

    It is shown a checkpoint that follows itself, and cosigns that only where it stands there: it never goes on by this.
    """
    if known is None:
        return None, "no checkpoint is known that it could be shown"
    answer = ask(caller, f"{witness.url}/add-checkpoint", format_submission(known.size, (), known.note))
    if answer.status == httpx.codes.OK:
        return known.size, ""
    told = size_told(answer.body) if answer.status == httpx.codes.CONFLICT else None
    return told, "" if told is not None else f"answered {answer.status}" if answer.status else answer.body
