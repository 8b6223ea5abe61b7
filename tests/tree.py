"""An auditor's own arithmetic: RFC 9162 trees and C2SP signed notes, written from the documents alone."""

import base64
import hashlib
import re
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.client import Client, Person, expect


@dataclass(frozen=True)
class Head:
    origin: str
    size: int
    root: bytes


def open_checkpoint(note: str, key: str) -> Head:
    """The head of a checkpoint, once the signature by this verifier key is found to be good."""
    name, identity, encoded = key.strip().split("+", 2)
    public = base64.b64decode(encoded)[1:]
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        dash, who, packed = line.split(" ")
        raw = base64.b64decode(packed)
        if dash == "\u2014" and who == name and raw[:4].hex() == identity:
            Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], (text + "\n").encode())
            origin, size, root = text.split("\n")
            assert re.fullmatch("0|[1-9][0-9]*", size)
            return Head(origin, int(size), base64.b64decode(root))
    raise AssertionError(f"no signature by {name}+{identity}")


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1 over leaf hashes, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2: the root that an inclusion proof leads to."""
    assert index < size
    at, last, root = index, size - 1, leaf
    for hash_ in path:
        assert last
        if at % 2 or at == last:
            root = node_hash(hash_, root)
            while not at % 2 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, hash_)
        at, last = at >> 1, last >> 1
    assert not last
    return root


def fetch_head(client: Client, auditor: Person, log: str = "audit/log/") -> Head:
    """The newest checkpoint, its signature verified."""
    key = client.get(f"{log}vkey", auditor.access).text
    return open_checkpoint(client.get(f"{log}checkpoint", auditor.access).text, key)


def wait_for_proof(client: Client, auditor: Person, event_id: str, seconds: float = 30) -> dict:
    """The proof of an event, once a checkpoint covers it."""
    deadline = time.monotonic() + seconds
    while (answer := client.get(f"audit/events/{event_id}/proof/", auditor.access)).status_code == 409:
        assert time.monotonic() < deadline, "the event stays pending"
        time.sleep(0.2)
    return dict(expect(answer, 200))
