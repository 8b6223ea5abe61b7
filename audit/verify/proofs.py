"""Judges the proof that one event stands in a log: a proof file in JSON, or a C2SP tlog-proof beside its leaf.

Leaf bytes give the leaf hash, that and the path the root, and a trusted key signed the root. Then what the proof tells
of the event is compared with the leaf, and each opening with its commitment.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from audit.verify.canonical import canonical, parse, unique
from audit.verify.faults import Bad, printable
from audit.verify.leaves import EVENT, Altered, commitment
from audit.verify.notes import (
    Checkpoint,
    NotSigned,
    VerifierKey,
    decode,
    parse_note,
    read_checkpoint,
    verify_cosignature,
)
from audit.verify.tree import HASH_BYTES, NotProved, hash_leaf, verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
MEMBERS: Final = ("checkpoint", "erased", "event", "hashes", "index", "leaf", "openings")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TEXT: Final = "text."
_SUCCESSOR: Final = re.compile(r"/[1-9][0-9]*(\.[1-9][0-9]*)?\Z")  # NAME/2, NAME/2.2


@dataclass(frozen=True, slots=True)
class Proved:
    """What a good proof proves. `event` is empty where only a hash is proved: the body was pruned."""

    event: str
    index: int
    checkpoint: Checkpoint
    opened: int
    erased: int
    cosigned: int

    def __str__(self) -> str:
        what = f"event {printable(self.event)}" if self.event else "a pruned event"
        where = f"entry {self.index} of {self.checkpoint.size} in {self.checkpoint.origin}"
        return f"ok: {what} is {where}, {self.opened} values opened, {self.erased} erased, {self.cosigned} cosignatures"


def check_proof(raw: str, keys: Sequence[VerifierKey]) -> Proved:
    """Judge a proof file.

    Raises:
        Bad: it does not prove what it tells.
    """
    proof = _members(raw)
    leaf = proof["leaf"].encode() if isinstance(proof["leaf"], str) else None
    leaf_hash = hash_leaf(leaf) if leaf is not None else decode(str(proof.get("leaf_hash", "")))
    if "leaf_hash" in proof and decode(str(proof["leaf_hash"])) != leaf_hash:
        raise Bad("the leaf does not give the leaf hash")
    hashes = [decode(str(each)) for each in proof["hashes"]]
    checkpoint, cosigned = _judge_place(leaf_hash, proof["index"], hashes, proof["checkpoint"], keys)
    if leaf is None:
        if proof["event"] is not None or proof["openings"] or proof["erased"]:
            raise Bad("it tells of an event, but has no leaf of it")
        return Proved("", proof["index"], checkpoint, 0, 0, cosigned)
    told = _leaf(leaf)
    _judge_openings(told["commitments"], proof["openings"], proof["erased"])
    values = {name: each["value"] for name, each in proof["openings"].items()}
    if not _is_same(proof["event"], _event(told, values)):
        raise Bad("the event that it tells is not the one in its leaf")
    opened, erased = len(values), len(proof["erased"])
    return Proved(told["id"], proof["index"], checkpoint, opened, erased, cosigned)


def check_text_proof(raw: str, leaf: bytes, keys: Sequence[VerifierKey]) -> Proved:
    """Judge a C2SP tlog-proof of a leaf.

    Raises:
        Bad: it does not prove that the leaf is in the log.
    """
    head, blank, checkpoint_note = raw.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != HEADER or not blank:
        raise Bad("not a tlog-proof of version 1")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    index = rest[0].removeprefix("index ") if rest and rest[0].startswith("index ") else ""
    if not _NUMBER.fullmatch(index):
        raise Bad("the tlog-proof has no index")
    hashes = [decode(each) for each in rest[1:]]
    checkpoint, cosigned = _judge_place(hash_leaf(leaf), int(index), hashes, checkpoint_note, keys)
    told = _leaf(leaf)
    return Proved(told["id"], int(index), checkpoint, 0, 0, cosigned)


def _members(raw: str) -> dict[str, Any]:
    """A proof file whose members have their types."""
    try:
        proof = json.loads(raw, object_pairs_hook=unique)
        json.dumps(proof, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError):
        raise Bad("not a proof: no JSON, or a name stands twice") from None
    missing = [name for name in MEMBERS if not isinstance(proof, dict) or name not in proof]
    if missing:
        raise Bad(f"not a proof: without {', '.join(missing)}")
    kinds = {"checkpoint": str, "erased": list, "hashes": list, "index": int, "openings": dict}
    for name, kind in kinds.items():
        if not isinstance(proof[name], kind) or isinstance(proof[name], bool):
            raise Bad(f"not a proof: {name} is of another type")
    if not isinstance(proof["leaf"], str | None) or not all(isinstance(it, str) for it in proof["erased"]):
        raise Bad("not a proof: leaf or erased are of another type")
    result: dict[str, Any] = proof
    return result


def _judge_place(
    leaf_hash: bytes, index: int, hashes: Sequence[bytes], note: str, keys: Sequence[VerifierKey]
) -> tuple[Checkpoint, int]:
    """The checkpoint under which a leaf hash stands at an index, and how many known witnesses cosigned it."""
    if len(leaf_hash) != HASH_BYTES or any(len(each) != HASH_BYTES for each in hashes):
        raise Bad("a hash of the proof is none")
    try:
        checkpoint = read_checkpoint(note, _under_its_name(note, keys))
        cosigned = _count_cosignatures(note, keys)
        verify_inclusion(leaf_hash, index, checkpoint.size, hashes, checkpoint.root)
    except NotSigned as error:
        raise Bad(f"the checkpoint: {error}") from None
    except NotProved as error:
        raise Bad(f"it is not in the log: {error}", index=index) from None
    return checkpoint, cosigned


def _under_its_name(note: str, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
    """The keys, those of a log under the name of the one among its successors and predecessors that the proof is of."""
    origin = parse_note(note).text.partition("\n")[0]
    first = _SUCCESSOR.sub("", origin)
    own = [key for key in keys if key.name == origin]
    related = [replace(key, name=origin) for key in keys if _SUCCESSOR.sub("", key.name) == first]
    return own or related


def _count_cosignatures(note: str, keys: Sequence[VerifierKey]) -> int:
    """How many witnesses: one whose line was copied, or that signed at two times, is one all the same."""
    text = parse_note(note).text
    lines = filter(None, note[len(text) + 1 :].split("\n"))
    return len({line.split(" ")[1] for line in lines if verify_cosignature(line, text, keys)})


def _leaf(leaf: bytes) -> dict[str, Any]:
    """What a leaf tells: canonical JSON of version 1."""
    try:
        told = parse(leaf)
        spelled = canonical(told).encode()
    except ValueError as error:
        raise Bad(f"the leaf is no JSON of a leaf: {error}") from None
    if not isinstance(told, dict) or told.keys() != {*EVENT, "v"} or told["v"] != 1:
        raise Bad("the leaf is none of version 1")
    if spelled != leaf:
        raise Bad("the leaf is not canonical JSON")
    if not isinstance(told["commitments"], dict) or not isinstance(told["details"], dict):
        raise Bad("the leaf is none of version 1")
    return told


def _judge_openings(committed: dict[str, Any], openings: dict[str, Any], erased: Sequence[str]) -> None:
    if sorted([*openings, *erased]) != sorted(committed):
        raise Bad("openings and erased do not name the leaf's commitments, each once")
    for name, opening in openings.items():
        if not isinstance(opening, dict) or opening.keys() != {"salt", "value"}:
            raise Bad(f"the opening of {printable(name)} is no salt and value")
        try:
            found = commitment(name, opening["value"], opening["salt"])
        except Altered:
            found = ""
        if found != committed[name]:
            raise Bad(f"{printable(name)} does not open its commitment: value or salt was altered")


def _is_same(told: Any, event: dict[str, Any]) -> bool:
    """Whether two are one JSON value; for Python 1 would be true."""
    try:
        return canonical(told) == canonical(event)
    except (ValueError, TypeError, RecursionError):
        return False


def _event(leaf: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """The event as the service shows it, from its leaf and what was opened."""
    texts = {name.removeprefix(_TEXT): value for name, value in values.items() if name.startswith(_TEXT)}
    shown = {name: leaf[name] for name in ("id", "time", "type", "outcome", "reason", "severity", "session")}
    source = {name: values.get(name, "") for name in ("ip", "user_agent")}
    return {
        **shown,
        "user": values.get("user", ""),
        "subject": values.get("subject", ""),
        "source": {**source, "request_id": leaf["request_id"]},
        "details": {**leaf["details"], **texts},
    }
