"""Somebody shows an auditor a proof of an event that never was, or of one that was another: check_proof refuses it."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import tests.ready  # noqa: F401
from audit import merkle
from audit.canonical import canonical
from audit.notes import verifier_key
from audit.verify.faults import Bad
from audit.verify.notes import VerifierKey, parse_key
from audit.verify.proofs import check_proof
from tests import ledger
from tests.ledger import KEY, ORIGIN, OTHER_KEY, SIZE, VKEYS, reader_of

INDEX = 105
KEYS = [parse_key(each) for each in VKEYS]
Proof = dict[str, Any]


@pytest.fixture(scope="module")
def genuine() -> Proof:
    """A proof file of an event with every kind of personal data."""
    log = ledger.make()
    _, own, leaf = log.entries[INDEX]
    told = json.loads(leaf)
    salts = json.loads(own[7])
    values = dict(zip(("user", "subject", "ip", "user_agent", "foreign_request_id"), own[1:6], strict=True))
    values |= {f"text.{name}": value for name, value in json.loads(own[6]).items()}
    shown = {name: told[name] for name in ("id", "time", "type", "outcome", "reason", "severity", "session")}
    source = {"ip": values["ip"], "user_agent": values["user_agent"], "request_id": told["request_id"]}
    details = {**told["details"], "note": values["text.note"]}
    return {
        "event": {
            **shown,
            "user": values["user"],
            "subject": values["subject"],
            "source": source,
            "details": details,
        },
        "leaf": leaf.decode(),
        "leaf_hash": encode(merkle.leaf_hash(leaf)),
        "openings": {name: {"salt": salts[name], "value": value} for name, value in values.items()},
        "erased": [],
        "index": INDEX,
        "hashes": [encode(each) for each in merkle.inclusion_proof(INDEX, SIZE, reader_of(log.hashes))],
        "checkpoint": ledger.checkpoint(log.hashes, SIZE)[0],
    }


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def judge(proof: Proof, keys: list[VerifierKey] = KEYS) -> str:
    return str(check_proof(json.dumps(proof), keys))


def test_genuine_proof_is_good(genuine: Proof) -> None:
    assert judge(genuine).startswith(f"ok: event {genuine['event']['id']} is entry {INDEX} of {SIZE} in")


def test_a_witness_whose_lines_are_multiplied_counts_once(genuine: Proof) -> None:
    text = genuine["checkpoint"].partition("\n\n")[0] + "\n"
    lines = [ledger.cosign(text), ledger.cosign(text), ledger.cosign(text, 1_700_000_000)]
    for count in (1, 2, 3):
        proof = {**genuine, "checkpoint": genuine["checkpoint"] + "".join(lines[:count])}
        assert judge(proof).endswith(" 1 cosignatures")


def test_proof_without_what_was_erased_is_good(genuine: Proof) -> None:
    proof = copy.deepcopy(genuine)
    for name in list(proof["openings"]):
        del proof["openings"][name]
        proof["erased"].append(name)
    proof["event"] |= {"user": "", "subject": ""}
    proof["event"]["source"] |= {"ip": "", "user_agent": ""}
    del proof["event"]["details"]["note"]
    assert "0 values opened, 6 erased" in judge(proof)


def test_proof_of_a_pruned_event_proves_its_hash(genuine: Proof) -> None:
    assert judge({**genuine, "event": None, "leaf": None, "openings": {}}).startswith(
        "ok: a pruned event is entry"
    )


@pytest.mark.parametrize("more", [{"openings": {"ip": "192.0.2.9"}}, {"erased": ["ip"]}, {"event": {}}])
def test_proof_of_a_pruned_event_tells_nothing_of_it(genuine: Proof, more: Proof) -> None:
    with pytest.raises(Bad, match="it tells of an event, but has no leaf of it"):
        judge({**genuine, "event": None, "leaf": None, "openings": {}, **more})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda leaf: leaf.replace(b",", b", ", 1), "the leaf is not canonical JSON"),
        (lambda leaf: leaf.replace(b'"v":1', b'"v":2'), "the leaf is none of version 1"),
        (lambda leaf: canonical({**json.loads(leaf), "user": "user-1"}), "the leaf is none of version 1"),
        (lambda leaf: canonical({**json.loads(leaf), "details": []}), "the leaf is none of version 1"),
        (lambda leaf: b'"log.start"', "the leaf is none of version 1"),
    ],
)
def test_leaf_of_another_form_proves_nothing_though_the_log_has_it(
    genuine: Proof, change: Callable[[bytes], bytes], what: str
) -> None:
    leaf = change(genuine["leaf"].encode())
    leaf_hash = merkle.leaf_hash(leaf)
    signed, _ = ledger.checkpoint([leaf_hash], 1)
    alone = {"index": 0, "hashes": [], "leaf_hash": encode(leaf_hash), "checkpoint": signed}
    with pytest.raises(Bad, match=what):
        judge({**genuine, "leaf": leaf.decode(), **alone})


def set_in(*path: str, value: Any) -> Callable[[Proof], None]:
    def act(proof: Proof) -> None:
        for name in path[:-1]:
            proof = proof[name]
        proof[path[-1]] = value(proof[path[-1]]) if callable(value) else value

    return act


def erase_and_tell(proof: Proof) -> None:
    del proof["openings"]["ip"]
    proof["erased"] = ["ip"]


def other_leaf(proof: Proof) -> None:
    """Leaf, hash and event of an event that is not in the log."""
    leaf = canonical({**json.loads(proof["leaf"]), "outcome": "success"})
    proof |= {"leaf": leaf.decode(), "leaf_hash": encode(merkle.leaf_hash(leaf))}
    proof["event"]["outcome"] = "success"


def other_key(proof: Proof) -> None:
    proof["checkpoint"] = ledger.checkpoint(ledger.make().hashes, SIZE, ledger.OTHER_KEY)[0]


def spelled_otherwise(text: str) -> str:
    """The same bytes to who ignores the bits that are left over."""
    digits = text.rstrip("=")
    return f"{digits[:-1]}{chr(ord(digits[-1]) + 1)}{text[len(digits) :]}"


FORGERIES: dict[str, tuple[Callable[[Proof], None], str]] = {
    "event": (set_in("event", "outcome", value="success"), "the event that it tells is not the one in its leaf"),
    "event's address": (set_in("event", "source", "ip", value="192.0.2.9"), "the event that it tells"),
    "event's details": (set_in("event", "details", "count", value=1), "the event that it tells"),
    "leaf": (set_in("leaf", value=lambda it: it.replace("failure", "success")), "does not give the leaf hash"),
    "leaf and hash": (other_leaf, f"entry {INDEX} .*: it is not in the log: the proof leads to another root"),
    "value": (set_in("openings", "ip", "value", value="192.0.2.9"), "ip does not open its commitment"),
    "salt": (set_in("openings", "ip", "salt", value="AAAAAAAAAAAAAAAAAAAAAA=="), "ip does not open its commitment"),
    "salt's spelling": (set_in("openings", "ip", "salt", value=lambda it: it + "\n"), "ip does not open"),
    "value kept back": (set_in("openings", value=lambda it: dict(list(it.items())[1:])), "do not name the leaf's"),
    "told and erased": (set_in("erased", value=["ip"]), "do not name the leaf's commitments, each once"),
    "erased, but told": (erase_and_tell, "the event that it tells is not the one in its leaf"),
    "a number for a truth": (set_in("event", "details", "b", value=1), "the event that it tells"),
    "index": (set_in("index", value=INDEX + 1), "not in the log"),
    "index beyond": (set_in("index", value=SIZE), f"there is no entry {SIZE} among {SIZE}"),
    "shorter path": (set_in("hashes", value=lambda it: it[:-1]), "not in the log"),
    "longer path": (set_in("hashes", value=lambda it: [*it, it[0]]), "not in the log"),
    "path in base64 that only some read": (
        set_in("hashes", value=lambda it: [*it[:-1], spelled_otherwise(it[-1])]),
        "a hash of the proof is none",
    ),
    "salt in base64 that only some read": (
        set_in("openings", "ip", "salt", value=spelled_otherwise),
        "ip does not open its commitment",
    ),
    "path of no hashes": (set_in("hashes", value=lambda it: [*it[:-1], "AAAA"]), "a hash of the proof is none"),
    "checkpoint's size": (set_in("checkpoint", value=lambda it: it.replace("640", "641")), "signature of .* is forged"),
    "checkpoint's key": (other_key, "no trusted key signed it"),
    "checkpoint": (set_in("checkpoint", value="nothing"), "the note has no signatures"),
    "no JSON numbers": (set_in("index", value=1.5), "index is of another type"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_proof_is_refused(genuine: Proof, name: str) -> None:
    forge, why = FORGERIES[name]
    proof = copy.deepcopy(genuine)
    forge(proof)
    with pytest.raises(Bad, match=why):
        judge(proof)


@pytest.mark.parametrize("raw", ["", "[]", "{}", "null", "[" * 100_000, '{"leaf": 1}'])
def test_what_is_no_proof_is_refused_in_a_line(raw: str) -> None:
    with pytest.raises(Bad, match="not a proof") as found:
        check_proof(raw, KEYS)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("member", ['"index": 0', '"event": null', '"erased": ["ip"]'])
def test_what_two_readers_read_differently_is_no_proof(genuine: Proof, member: str) -> None:
    raw = json.dumps(genuine)
    for doubled in (f"{raw[:-1]}, {member}}}", f"{{{member}, {raw[1:]}"):
        with pytest.raises(Bad, match="a name stands twice"):
            check_proof(doubled, KEYS)


def test_key_of_another_log_proves_nothing(genuine: Proof) -> None:
    foreign = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    with pytest.raises(Bad, match="no trusted key signed it"):
        judge(genuine, [parse_key(foreign)])


def of_log(genuine: Proof, origin: str) -> Proof:
    """The same proof under a checkpoint of a log of another name, signed by the same key."""
    return {**genuine, "checkpoint": ledger.checkpoint(ledger.make().hashes, SIZE, KEY, origin)[0]}


@pytest.mark.parametrize("origin", [f"{ORIGIN}/2", f"{ORIGIN}/2.2"])
def test_key_of_a_log_judges_its_successors_and_theirs_the_first(genuine: Proof, origin: str) -> None:
    assert judge(of_log(genuine, origin)).startswith("ok: ")
    assert judge(genuine, [parse_key(verifier_key(origin, KEY.public))]).startswith("ok: ")
    foreign = parse_key(verifier_key(origin, OTHER_KEY.public))
    with pytest.raises(Bad, match="no trusted key signed it"):
        judge(of_log(genuine, origin), [*KEYS, foreign])


@pytest.mark.parametrize("origin", [f"{ORIGIN}/x", f"{ORIGIN}2", f"{ORIGIN}/2/x"])
def test_key_of_a_log_judges_no_log_that_is_called_like_it(genuine: Proof, origin: str) -> None:
    with pytest.raises(Bad, match="no trusted key signed it"):
        judge(of_log(genuine, origin))
