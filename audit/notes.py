"""Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and the text of a tlog-proof.

What the log writes. `audit.verify` reads it with code of its own.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

ED25519: Final = b"\x01"  # C2SP signed-note, signature types
ED25519_COSIGNATURE: Final = b"\x04"  # C2SP tlog-cosignature
DASH: Final = "\u2014"
PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Signer:
    """An Ed25519 key (RFC 8032): its 32 public bytes, and what signs with it."""

    public: bytes
    sign: Callable[[bytes], bytes]


def verifier_key(name: str, public: bytes, kind: bytes = ED25519) -> str:
    """A C2SP verifier key: name+hexadecimal key id+base64."""
    encoded = base64.b64encode(kind + public).decode()
    return f"{name}+{key_id(name, public, kind).hex()}+{encoded}"


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """The first four bytes of SHA-256(name, newline, type, key)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def signature_line(name: str, identity: bytes, signature: bytes) -> str:
    """One signature line, with its newline."""
    return f"{DASH} {name} {base64.b64encode(identity + signature).decode()}\n"


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint: what is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, signers: Sequence[Signer]) -> str:
    """A checkpoint as a signed note, with one line for each signer."""
    text = checkpoint_text(origin, size, root)
    lines = (signature_line(origin, key_id(origin, it.public), it.sign(text.encode())) for it in signers)
    return f"{text}\n{''.join(lines)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it says itself; no signature of it was verified."""

    origin: str
    size: int
    root: bytes
    note: str


def read_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint that this log signed. To judge somebody else's, see `audit.verify`.

    Raises:
        ValueError: it is none.
    """
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or not signatures.startswith(DASH) or len(lines) != 3 or not lines[1].isdecimal():
        raise ValueError("not a signed checkpoint")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != 32:
        raise ValueError("not a signed checkpoint")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def proof_text(index: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """A C2SP tlog-proof."""
    path = "".join(base64.b64encode(each).decode() + "\n" for each in hashes)
    return f"{PROOF_HEADER}\nindex {index}\n{path}\n{checkpoint}"
