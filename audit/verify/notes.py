"""Signed notes, checkpoints, verifier keys and cosignatures, for one who verifies.

C2SP signed-note, tlog-checkpoint and tlog-cosignature, with Ed25519 (RFC 8032). Base64 is taken in its one canonical
spelling only. A note counts when at least one trusted key signed it; a line of a trusted key that is wrong spoils it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519: Final = 1
COSIGNATURE: Final = 4
SIGNATURE_BYTES: Final = 64  # Ed25519, RFC 8032 section 5.1.6
COSIGNATURE_BYTES: Final = 8 + SIGNATURE_BYTES  # a time before it
MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
_LINE: Final = re.compile("\u2014 ([^\\s+]+) ([A-Za-z0-9+/=]+)")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class NotSigned(ValueError):
    """A note is malformed, or no trusted key vouches for it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who signs, by name, and with which Ed25519 key; `kind` 4 is a witness's."""

    name: str
    kind: int
    public: bytes

    @property
    def identity(self) -> bytes:
        """The key id: the first four bytes of SHA-256(name, newline, type, key)."""
        material = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(material).digest()[:4]

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def __str__(self) -> str:
        key = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.identity.hex()}+{key}"


def parse_key(text: str) -> VerifierKey:
    """A C2SP verifier key, name+id+key.

    Raises:
        ValueError: it is none, of another type, or its id is not that of its key.
    """
    name, first, rest = text.strip().partition("+")
    identity, second, encoded = rest.partition("+")
    raw = decode(encoded) if first and second else b""
    if not name or re.search(r"\s", name) or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise ValueError("not an Ed25519 verifier key, NAME+ID+KEY")
    key = VerifierKey(name, raw[0], raw[1:])
    if identity != key.identity.hex():
        raise ValueError("the id in the verifier key is not that of its name and key")
    return key


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures: (name, key id, signature)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]


def parse_note(raw: str) -> Note:
    """A signed note.

    Raises:
        NotSigned: it is malformed.
    """
    if len(raw) > MAX_NOTE_BYTES or any(letter < " " and letter != "\n" for letter in raw):
        raise NotSigned("the note is too long or holds control characters")
    text, blank, lines = raw.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NotSigned("the note has no signatures")
    found = [_signature(line) for line in lines[:-1].split("\n")]
    if len(found) > MAX_SIGNATURES:
        raise NotSigned("the note has too many signatures")
    return Note(text + "\n", tuple(found))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    matched = _LINE.fullmatch(line)
    raw = decode(matched[2]) if matched else b""
    if not matched or len(raw) < 5:
        raise NotSigned("the note has a malformed signature line")
    return matched[1], raw[:4], raw[4:]


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> VerifierKey:
    """The first of these keys that signed.

    Raises:
        NotSigned: none did, or one of them is said to have and did not.
    """
    trusted = {(key.name, key.identity): key for key in keys if key.kind == ED25519}
    signed = None
    for name, identity, signature in note.signatures:
        key = trusted.get((name, identity))
        if key is None:
            continue
        if not key.verify(signature, note.text.encode()):
            raise NotSigned(f"the signature of {name} is forged")
        signed = signed or key
    if signed is None:
        raise NotSigned("no trusted key signed it")
    return signed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: how many entries a log has, and their root."""

    origin: str
    size: int
    root: bytes


def parse_checkpoint(text: str) -> Checkpoint:
    """The text of a checkpoint; lines after the third are extensions.

    Raises:
        NotSigned: it is malformed.
    """
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not _NUMBER.fullmatch(lines[1]):
        raise NotSigned("not a checkpoint")
    root = decode(lines[2])
    if len(root) != 32:
        raise NotSigned("the checkpoint's root is no SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def read_checkpoint(raw: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """A checkpoint that a trusted key signed under its own origin.

    Raises:
        NotSigned: it is malformed, or not signed.
    """
    note = parse_note(raw)
    checkpoint = parse_checkpoint(note.text)
    verify_note(note, [key for key in keys if key.name == checkpoint.origin])
    return checkpoint


def count_unknown(raw: str, keys: Iterable[VerifierKey], signers: int) -> int:
    """How many lines under a stored checkpoint are of keys of its log that were not given.

    `signers`: how many keys of the log sign each checkpoint, where all of them were given; else 0.

    Raises:
        NotSigned: another line stands there, one stands twice, or one is missing.
    """
    note = parse_note(raw)
    origin = note.text.partition("\n")[0]
    lines = [(name, identity) for name, identity, _ in note.signatures]
    if any(name != origin or len(signature) != SIGNATURE_BYTES for name, _, signature in note.signatures):
        raise NotSigned("a line under it is no signature of the log")
    if len(set(lines)) < len(lines):
        raise NotSigned("a signature under it stands twice")
    unknown = len(set(lines) - {(key.name, key.identity) for key in keys if key.kind == ED25519})
    if signers and unknown:
        raise NotSigned("a signature under it is of no key of the log")
    if signers and len(lines) != signers:
        raise NotSigned(f"{signers} keys of the log sign each checkpoint, this one has {len(lines)}")
    return unknown


def verify_cosignature(line: str, text: str, keys: Iterable[VerifierKey]) -> bool:
    """Whether one of these witnesses cosigned the checkpoint (tlog-cosignature); False: the witness is not known.

    Raises:
        NotSigned: the line is malformed, or a known witness did not sign it.
    """
    name, identity, signature = _signature(line.rstrip("\n"))
    for key in keys:
        if key.kind == COSIGNATURE and (key.name, key.identity) == (name, identity):
            seconds = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            if len(signature) != COSIGNATURE_BYTES or not key.verify(signature[8:], message):
                raise NotSigned(f"the cosignature of {name} is forged")
            return True
    return False


def decode(text: str) -> bytes:
    """Canonical base64 (RFC 4648 section 4); empty for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""
