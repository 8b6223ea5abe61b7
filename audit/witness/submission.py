"""What a log posts to a witness, and how a witness answers (C2SP tlog-witness, add-checkpoint)."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audit.verify.notes import Checkpoint, Note, NotSigned, VerifierKey, decode, parse_checkpoint, parse_note
from audit.verify.tree import HASH_BYTES

MAX_PROOF_LINES: Final = 63
MAX_BODY_BYTES: Final = 128 * 1024  # room for 63 hashes and 16 post-quantum signatures
MAX_SIZE: Final = 2**63 - 1
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint, the size it is to follow, and the proof that it does. Nothing of it is verified yet."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = TEXT_TYPE


def format_submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of a request."""
    lines = [f"old {old}", *(base64.b64encode(each).decode() for each in proof)]
    return ("\n".join(lines) + f"\n\n{note}").encode()


def parse_submission(body: bytes) -> Submission:
    """Take a request apart.

    Raises:
        NotSigned: it is none.
    """
    try:
        head, blank, signed = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise NotSigned("not UTF-8") from error
    old, *lines = head.split("\n")
    if not blank or not _OLD.fullmatch(old) or len(lines) > MAX_PROOF_LINES:
        raise NotSigned("not a submission")
    proof = tuple(decode(line) for line in lines)
    if any(len(each) != HASH_BYTES for each in proof):
        raise NotSigned("the proof is not of hashes")
    note = parse_note(signed)
    checkpoint, size = parse_checkpoint(note.text), int(old.removeprefix("old "))
    if max(size, checkpoint.size) > MAX_SIZE or "\n\n" in note.text:
        raise NotSigned("not a checkpoint")
    return Submission(size, proof, note, checkpoint)


def signed_by(note: Note, keys: Sequence[VerifierKey]) -> str:
    """A note with the signatures of these keys alone: what strangers put beside them is not kept."""
    known = {(key.name, key.identity) for key in keys}
    own = [it for it in note.signatures if it[:2] in known]
    lines = (f"\u2014 {name} {base64.b64encode(identity + made).decode()}\n" for name, identity, made in own)
    return f"{note.text}\n{''.join(lines)}"
