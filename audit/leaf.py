"""The leaf of an event: the bytes that the tree is made of.

A leaf is the canonical JSON (RFC 8785) of all columns of the event, without its personal data: for that stand the
commitments. docs/audit-log.md has an example that a stranger can recompute.
"""

from audit.canonical import canonical
from audit.records import Record
from audit.validation import rfc3339

VERSION = 1
MAX_LEAF_BYTES = 65_535  # an entry's length is 16 bits in C2SP entry bundles


def leaf_of(record: Record) -> bytes:
    """The leaf's bytes.

    Raises:
        ValueError: more than MAX_LEAF_BYTES.
    """
    leaf = canonical(
        {
            "v": VERSION,
            "id": record.id,
            "time": rfc3339(record.time),
            "type": record.type,
            "outcome": record.outcome,
            "reason": record.reason,
            "severity": record.severity,
            "session": record.session,
            "request_id": record.request_id,
            "details": record.details,
            "commitments": record.commitments,
        }
    )
    if len(leaf) > MAX_LEAF_BYTES:
        raise ValueError(f"event {record.id}: a leaf has at most {MAX_LEAF_BYTES} bytes, not {len(leaf)}")
    return leaf
