"""The stored tree as a test judges it: with RFC 9162's definition and no code of the service."""

import base64
import hashlib
from typing import Any

from audit.verify.notes import parse_checkpoint, parse_note
from audit.verify.tree import EMPTY_ROOT, hash_children, verify_inclusion
from tests.redis_processes import wait_until
from tests.server import Server


def root_of(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hash_children(root_of(leaves[:split]), root_of(leaves[split:]))


def entries_of(server: Server, log: int = 1) -> list[tuple[str, bytes]]:
    """Event ids and leaf hashes, in order; AssertionError where an index is missing."""
    rows = server.rows(
        'SELECT "index", event, leaf_hash FROM audit_entry WHERE log = %s ORDER BY "index"', [log]
    )
    assert [row[0] for row in rows] == list(range(len(rows)))
    return [(row[1], bytes(row[2])) for row in rows]


def head_of(server: Server, log: int = 1) -> tuple[int, bytes]:
    ((size, root),) = server.rows("SELECT size, root FROM audit_log WHERE id = %s", [log])
    return size, bytes(root)


def recomputed_root(server: Server, log: int = 1) -> tuple[int, bytes]:
    leaves = [leaf for _, leaf in entries_of(server, log)]
    return len(leaves), root_of(leaves)


def wait_for_entries(server: Server) -> None:
    """Until nothing is pending."""
    wait_until(lambda: server.rows("SELECT count(*) FROM audit_pending") == [(0,)], 30)


def is_proved(proof: dict[str, Any]) -> bool:
    """Whether a proof's hashes lead to its checkpoint's root; raises where not."""
    checkpoint = parse_checkpoint(parse_note(proof["checkpoint"]).text)
    hashes = [base64.b64decode(each) for each in proof["hashes"]]
    leaf = base64.b64decode(proof["leaf_hash"])
    if proof["leaf"] is not None:
        assert leaf == hashlib.sha256(b"\0" + proof["leaf"].encode()).digest()
    verify_inclusion(leaf, proof["index"], checkpoint.size, hashes, checkpoint.root)
    return True
