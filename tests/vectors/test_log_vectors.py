"""Published vectors of trees, canonical JSON and signed notes, through what writes the log and what judges it.

The two share no code: each must agree with the vectors by itself.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import canonical as writers_json
from audit import merkle, notes
from audit.verify import canonical as judges_json
from audit.verify import tree
from audit.verify.notes import (
    NotSigned,
    parse_checkpoint,
    parse_key,
    parse_note,
    read_checkpoint,
    verify_note,
)
from tests.ledger import reader_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "log.json").read_text())
MERKLE, JCS, NOTES = (
    VECTORS["rfc9162_merkle_sha256"],
    VECTORS["rfc8785_jcs"],
    VECTORS["signed_notes"]["notes"],
)
LEAVES = [bytes.fromhex(each) for each in MERKLE["leaf_inputs_hex"]]
ROOTS = [bytes.fromhex(each) for each in MERKLE["roots_by_size"]]
PROBES = [*MERKLE["published_positive_probes"], *MERKLE["published_negative_probes"]]


def raw(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hashes]


def test_leaves_hash_as_published() -> None:
    published = raw(MERKLE["leaf_hashes"])
    assert [merkle.leaf_hash(leaf) for leaf in LEAVES] == published
    assert [tree.hash_leaf(leaf) for leaf in LEAVES] == published
    pairs = list(zip(published[::2], published[1::2], strict=True))
    level = raw(MERKLE["node_hashes_level1"])
    assert [merkle.node_hash(*pair) for pair in pairs] == level
    assert [tree.hash_children(*pair) for pair in pairs] == level


def test_roots_of_each_size_are_as_published() -> None:
    edge, frontier = merkle.Edge(), tree.Frontier()
    for size, root in enumerate(ROOTS):
        assert edge.root() == frontier.root() == root
        if size < len(LEAVES):
            edge.append(merkle.leaf_hash(LEAVES[size]))
            frontier.add(tree.hash_leaf(LEAVES[size]))


@pytest.mark.parametrize(
    "vector", MERKLE["inclusion_proofs"], ids=lambda it: f"{it['leaf_index']}in{it['tree_size']}"
)
def test_inclusion_proofs_are_made_and_judged_as_published(vector: dict[str, Any]) -> None:
    index, size, proof = vector["leaf_index"], vector["tree_size"], raw(vector["proof"])
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert merkle.inclusion_proof(index, size, reader_of(hashes)) == proof
    tree.verify_inclusion(hashes[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize(
    "vector", MERKLE["consistency_proofs"], ids=lambda it: f"{it['first']}to{it['second']}"
)
def test_consistency_proofs_are_made_and_judged_as_published(vector: dict[str, Any]) -> None:
    first, second, proof = vector["first"], vector["second"], raw(vector["proof"])
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:second]]
    assert merkle.consistency_proof(first, second, reader_of(hashes)) == proof
    tree.verify_consistency(first, second, ROOTS[first], ROOTS[second], proof)


@pytest.mark.parametrize("probe", PROBES, ids=lambda it: it["file"].removeprefix("testdata/"))
def test_published_probes_are_accepted_and_refused_as_they_want(probe: dict[str, Any]) -> None:
    def judge() -> None:
        proof = raw(probe["proof"])
        if probe["kind"] == "inclusion":
            leaf, root = bytes.fromhex(probe["leaf_hash"]), bytes.fromhex(probe["root"])
            tree.verify_inclusion(leaf, probe["leaf_index"], probe["tree_size"], proof, root)
        else:
            roots = bytes.fromhex(probe["root1"]), bytes.fromhex(probe["root2"])
            tree.verify_consistency(probe["first"], probe["second"], *roots, proof)

    if probe["want_error"]:
        with pytest.raises(tree.NotProved):
            judge()
    else:
        judge()


def test_rfc_8785_strings_and_names() -> None:
    """The judge refuses fractions, which no leaf holds, so the numbers are the writer's to spell."""
    published = bytes.fromhex(JCS["canonical_utf8_hex"])
    told = json.loads(JCS["input_json"])
    assert writers_json.canonical(told) == published
    with pytest.raises(ValueError, match="no leaf holds"):
        judges_json.parse(JCS["input_json"])
    string = published[published.index(b'"string":') + 9 : -1].decode()
    assert judges_json.canonical(told["string"]) == string
    shuffled = dict.fromkeys(sorted(JCS["key_sort_order"], reverse=True), 1)
    for spelled in (writers_json.canonical(shuffled).decode(), judges_json.canonical(shuffled)):
        assert list(json.loads(spelled)) == JCS["key_sort_order"]


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note["label"])
def test_published_notes_are_signed_and_altered_ones_are_not(note: dict[str, Any]) -> None:
    key, signed = parse_key(note["vkey"]), f"{note['text']}\n{note['signature_line']}\n"
    assert str(key) == note["vkey"] == notes.verifier_key(key.name, key.public)
    assert verify_note(parse_note(signed), [key]) == key
    assert notes.signature_line(key.name, key.identity, parse_note(signed).signatures[0][2]) in signed
    with pytest.raises(NotSigned):
        verify_note(parse_note(signed.replace(note["text"][:5], "Tamper", 1)), [key])
    with pytest.raises(NotSigned):
        verify_note(parse_note(signed), [parse_key(each["vkey"]) for each in NOTES if each is not note])


def test_published_checkpoint_is_read_alike() -> None:
    note = next(each for each in NOTES if each["label"].startswith("sumdb"))
    signed = f"{note['text']}\n{note['signature_line']}\n"
    judged, written = parse_checkpoint(parse_note(signed).text), notes.read_checkpoint(signed)
    assert (judged.origin, judged.size, judged.root) == (written.origin, written.size, written.root)
    with pytest.raises(NotSigned):  # its origin is not the name of its key
        read_checkpoint(signed, [parse_key(note["vkey"])])


def test_what_the_writer_signs_the_judge_believes() -> None:
    private = Ed25519PrivateKey.generate()
    signer = notes.Signer(private.public_key().public_bytes_raw(), private.sign)
    signed = notes.sign_checkpoint("log.example", 3, b"\x07" * 32, [signer])
    checkpoint = read_checkpoint(signed, [parse_key(notes.verifier_key("log.example", signer.public))])
    assert (checkpoint.size, checkpoint.root) == (3, b"\x07" * 32)


HOSTILE = [
    "signature line without a dash",
    *(
        f"text\n\n{line}"
        for line in ("", "\u2014 name\n", "\u2014 na me AAAA\n", "\u2014 name AAAAAAAA", "- name AAAAAAAA\n")
    ),
    "text\r\n\n\u2014 name AAAAAAAA\n",
    "text\n\n\u2014 name AAAAAA==\n",
    "text\n\n\u2014 name QUFBQUFB\n\n",
    "text\n\n" + "\u2014 name QUFBQUFB\n" * 101,
]


@pytest.mark.parametrize("raw_note", HOSTILE, ids=range(len(HOSTILE)))
def test_malformed_notes_are_refused(raw_note: str) -> None:
    with pytest.raises(NotSigned):
        verify_note(parse_note(raw_note), [parse_key(NOTES[0]["vkey"])])
