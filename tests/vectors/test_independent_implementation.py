"""Our log before somebody else's eyes, and theirs before ours: aics-tlog speaks C2SP and shares no code with us.

It is installed from the package index into a directory of its own, pinned by its hash. It asks for a later Python than
we do but uses nothing of it.
"""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tests.ready  # noqa: F401
from audit import merkle, notes
from audit.offline import write_export
from audit.verify import proofs, tree
from audit.verify.canonical import canonical
from audit.verify.faults import Bad
from audit.verify.leaves import EVENT
from audit.verify.notes import parse_key, read_checkpoint, verify_cosignature
from tests import ledger, services
from tests.ledger import COSIGNED, SIZE, VKEYS, Ledger, reader_of

PINNED = "aics-tlog==0.2.1 --hash=sha256:e8cd2be003001576353bbd1a139b68252baf85df8e5d356c5ff26f3c417efdfc\n"
ORIGIN = "theirs.example/log"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package; skipped, or failed in CI, where no index gives it."""
    directory = tmp_path_factory.mktemp("aics")
    (directory / "pinned.txt").write_text(PINNED)
    target = directory / "site"
    install = ["install", "--quiet", "--no-deps", "--ignore-requires-python", "--require-hashes"]
    command = [
        sys.executable,
        "-m",
        "pip",
        *install,
        "--target",
        str(target),
        "-r",
        str(directory / "pinned.txt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        (pytest.fail if services.CI else pytest.skip)("aics-tlog is not installed: no package index gave it")
    sys.path.insert(0, str(target))
    try:
        yield importlib.import_module("aics_tlog")
    finally:
        sys.path.remove(str(target))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, Path]:
    """Our log, and the directory of its tiles."""
    log, directory = ledger.make(), tmp_path_factory.mktemp("export")
    with ledger.database("sqlite", directory) as owner:
        ledger.fill(owner, log)
        database = owner.opener()()
        write_export(database, directory / "out", VKEYS, lambda done, total: None)
        database.close()
    return log, directory / "out" / "log" / "1"


def test_they_believe_our_checkpoint_and_its_cosignature(
    theirs: ModuleType, exported: tuple[Ledger, Path]
) -> None:
    log, directory = exported
    key, witness = map(theirs.parse_vkey, VKEYS)
    newest = theirs.parse_note((directory / "checkpoint").read_text())
    assert theirs.verify_checkpoint(newest, key).ok
    text, _ = ledger.checkpoint(log.hashes, COSIGNED)
    cosigned = theirs.parse_note(text + ledger.cosign(text.partition("\n\n")[0] + "\n"))
    found = theirs.verify_checkpoint(cosigned, key, [witness], quorum=1)
    assert (found.ok, found.size, found.cosignature_count) == (True, COSIGNED, 1)
    other = theirs.parse_vkey(notes.verifier_key(ledger.ORIGIN, ledger.OTHER_KEY.public))
    assert not theirs.verify_checkpoint(newest, other).ok


def test_they_read_our_tiles_and_draw_the_proofs_that_we_draw(
    theirs: ModuleType, exported: tuple[Ledger, Path]
) -> None:
    log, directory = exported
    root = merkle.root_of(SIZE, reader_of(log.hashes))
    tiles = theirs.FileSystemTileReader(directory)
    assert theirs.audit_tiles(tiles, SIZE, root, entries=False).tiles == 4
    reader = theirs.VerifiedTileReader(tiles, SIZE, root)
    for index in (256, 300, SIZE - 1):  # of the first bundle some were pruned
        assert reader.entry(index) == log.entries[index][2]
    for index in (0, 255, 256, 511, 600, SIZE - 1):
        proof = merkle.inclusion_proof(index, SIZE, reader_of(log.hashes))
        assert theirs.inclusion_proof_from_tiles(tiles, index, SIZE) == proof
        assert theirs.verify_leaf_inclusion(log.entries[index][2], index, SIZE, proof, root)
        tree.verify_inclusion(log.hashes[index], index, SIZE, proof, root)
    for first in (1, 255, 256, 257, 512, 639):
        proof = merkle.consistency_proof(first, SIZE, reader_of(log.hashes))
        old = merkle.root_of(first, reader_of(log.hashes[:first]))
        assert theirs.consistency_proof_from_tiles(tiles, first, SIZE) == proof
        assert theirs.verify_consistency(first, SIZE, old, root, proof)
        tree.verify_consistency(first, SIZE, old, root, proof)


def test_they_find_what_our_text_proof_tells(theirs: ModuleType, exported: tuple[Ledger, Path]) -> None:
    log, _ = exported
    note, _ = ledger.checkpoint(log.hashes, SIZE)
    text = notes.proof_text(300, merkle.inclusion_proof(300, SIZE, reader_of(log.hashes)), note)
    head, _, signed = text.partition("\n\n")
    header, index, *hashes = head.split("\n")
    assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 300")
    found = theirs.verify_checkpoint(theirs.parse_note(signed), theirs.parse_vkey(VKEYS[0]))
    path = [theirs.note.b64_decode(each) for each in hashes]
    assert theirs.verify_leaf_inclusion(log.entries[300][2], 300, found.size, path, found.root)
    assert proofs.check_text_proof(text, log.entries[300][2], [parse_key(VKEYS[0])]).index == 300


def test_a_stranger_damages_a_tile_and_both_find_it(
    theirs: ModuleType, exported: tuple[Ledger, Path], tmp_path: Path
) -> None:
    log, _ = exported
    root = merkle.root_of(SIZE, reader_of(log.hashes))
    damaged = [*log.hashes]
    damaged[17] = b"\x00" * 32
    assert merkle.root_of(SIZE, reader_of(damaged)) != root
    written = {theirs.tiles.tile_path(0, 0): b"".join(damaged[:256])}
    with pytest.raises((theirs.TileMissingError, theirs.TileVerificationError)):
        theirs.audit_tiles(theirs.MemoryTileReader(written), SIZE, root, entries=False)


def test_we_believe_their_checkpoint_cosignature_and_proof(theirs: ModuleType) -> None:
    private, witness = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    empty = {**dict.fromkeys(EVENT, ""), "details": {}, "commitments": {}, "v": 1}
    leaf = canonical(empty).encode()
    leaves = [b"one", leaf, b"three", b"four", b"five"]
    theirs_tree = theirs.MerkleTree(leaves)
    checkpoint = theirs.Checkpoint(ORIGIN, 5, theirs_tree.root())
    note = theirs.sign_checkpoint(checkpoint, private, ORIGIN)
    _, line = theirs.sign_cosignature(witness, "w.example", 1_790_000_000, ORIGIN, 5, theirs_tree.root())
    whole = theirs.Note(text=note.text, signatures=(*note.signatures, line)).serialise()
    key = parse_key(theirs.format_vkey(theirs.vkey_from_ed25519(ORIGIN, private.public_key())))
    witness_key = parse_key(theirs.format_vkey(theirs.cosignature_vkey("w.example", witness.public_key())))
    assert read_checkpoint(whole, [key]).root == theirs_tree.root()
    assert verify_cosignature(whole.splitlines()[-1], note.text, [witness_key])
    text = notes.proof_text(1, theirs_tree.inclusion_proof(1), whole)
    proved = proofs.check_text_proof(text, leaf, [key, witness_key])
    assert (proved.index, proved.cosigned) == (1, 1)
    with pytest.raises(Bad, match="not in the log"):
        proofs.check_text_proof(text, leaf.replace(b'""', b'"x"', 1), [key])
    for old in range(1, 5):
        tree.verify_consistency(
            old, 5, theirs_tree.root(old), theirs_tree.root(), theirs_tree.consistency_proof(old, 5)
        )
