"""A witness's own key: one line in a file that only its owner reads, made on the first start.

The line is that of golang.org/x/mod/sumdb/note: PRIVATE+KEY+name+id+base64 of the kind and the seed.
"""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verify.notes import COSIGNATURE, VerifierKey, decode, parse_key

PREFIX: Final = "PRIVATE+KEY+"


@dataclass(frozen=True)
class Cosigner:
    """A name and the key that cosigns under it."""

    verifier: VerifierKey
    private: Ed25519PrivateKey

    def cosign(self, text: str, time: int) -> str:
        """The signature line of a checkpoint's text, seen at `time` (Unix seconds), with its newline."""
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        signature = time.to_bytes(8, "big") + self.private.sign(message)
        encoded = base64.b64encode(self.verifier.identity + signature).decode()
        return f"\u2014 {self.verifier.name} {encoded}\n"


def open_key(path: Path, name: str) -> Cosigner:
    """The key of a file, or a new one in it. Without a `name` the file's own counts.

    Raises:
        ValueError: the file holds no key, or one of another name.
        OSError: it cannot be read or made.
    """
    if not path.exists():
        _make(path, name)
    cosigner = _parse(path.read_text(encoding="utf-8").strip())
    if name and cosigner.verifier.name != name:
        raise ValueError(f"{path} is the key of {cosigner.verifier.name}: what it cosigned bears that name")
    return cosigner


def _parse(line: str) -> Cosigner:
    name, _, rest = line.removeprefix(PREFIX).partition("+")
    data = decode(rest.partition("+")[2])
    if not line.startswith(PREFIX) or len(data) != 33 or data[0] != COSIGNATURE:
        raise ValueError("the key file holds no cosigner's key")
    private = Ed25519PrivateKey.from_private_bytes(data[1:])
    verifier = VerifierKey(name, COSIGNATURE, private.public_key().public_bytes_raw())
    if rest.partition("+")[0] != verifier.identity.hex():
        raise ValueError("the key file is damaged")
    return Cosigner(verifier, private)


def _make(path: Path, name: str) -> None:
    """Write a new key, complete before it has its name; where another process was faster, its key stays."""
    private = Ed25519PrivateKey.generate()
    verifier = VerifierKey(name, COSIGNATURE, private.public_key().public_bytes_raw())
    parse_key(str(verifier))  # refuses a name that notes cannot bear
    seed = base64.b64encode(bytes([COSIGNATURE]) + private.private_bytes_raw()).decode()
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{PREFIX}{name}+{verifier.identity.hex()}+{seed}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    finally:
        draft.unlink()
