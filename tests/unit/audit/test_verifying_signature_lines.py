"""What may stand under a stored checkpoint where all keys of the log are known: the lines of two of them, each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401
from audit import notes
from audit.notes import Signer
from audit.verify.faults import Bad
from audit.verify.notes import VerifierKey, parse_key
from audit.verify.sqlite import Sqlite
from audit.verify.verdict import Question, judge
from tests import ledger
from tests.ledger import KEY, NOW_MS, ORIGIN, OTHER_KEY, SIGNED, VKEYS, Ledger, Owner

NEXT_KEY = ledger.key_of("next")
RING = (KEY.public, NEXT_KEY.public)
ABOUT = f"log 1: the stored checkpoint of {SIGNED[1]} entries: "


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, Ledger]]:
    log = ledger.make()
    with ledger.database("sqlite", tmp_path_factory.mktemp("lines")) as owner:
        ledger.fill(owner, log)
        with owner.connect() as run:
            for size in SIGNED:
                run(
                    "UPDATE audit_checkpoint SET note = %s WHERE size = %s",
                    signed(log, size, KEY, NEXT_KEY), size,
                )  # fmt: skip
        yield owner, log


def signed(log: Ledger, size: int, *keys: Signer) -> str:
    _, root = ledger.checkpoint(log.hashes, size)
    return notes.sign_checkpoint(ORIGIN, size, root, keys)


def judged(owner: Owner, ring: tuple[bytes, ...], *keys: VerifierKey) -> list[str]:
    """The lines of a judgement."""
    said: list[str] = []
    question = Question(keys=[*keys, parse_key(VKEYS[1])], ring=lambda: ring, now_ms=lambda: NOW_MS)
    return [judge(owner.opener(), question, said.append), *said]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ((KEY,), "2 keys of the log sign each checkpoint, this one has 1"),
        ((NEXT_KEY,), "2 keys of the log sign each checkpoint, this one has 1"),
        ((KEY, KEY), "a signature under it stands twice"),
        ((KEY, NEXT_KEY, OTHER_KEY), "a signature under it is of no key of the log"),
        ((KEY, OTHER_KEY), "a signature under it is of no key of the log"),
        ((KEY, NEXT_KEY, Signer(OTHER_KEY.public, lambda _: bytes(72))), "a line under it is no signature"),
        ((KEY, Signer(NEXT_KEY.public, lambda _: bytes(64))), f"the signature of {ORIGIN} is forged"),
    ],
)
def test_other_lines_under_a_checkpoint_are_bad(
    original: tuple[Owner, Ledger], tmp_path: Path, keys: tuple[Signer, ...], why: str
) -> None:
    kept, log = original
    with kept.copy(tmp_path) as owner:
        assert judged(owner, RING)[0].startswith("ok: ")
        owner.run(
            "UPDATE audit_checkpoint SET note = %s WHERE size = %s", signed(log, SIGNED[1], *keys), SIGNED[1]
        )
        with pytest.raises(Bad) as found:
            judged(owner, RING)
    assert str(found.value).startswith(ABOUT + why)


def test_lines_of_a_key_that_was_not_given_are_counted(original: tuple[Owner, Ledger]) -> None:
    said = judged(original[0], (), parse_key(VKEYS[0]))
    assert f"  not judged: {len(SIGNED)} signatures, whose keys were not given" in said


def test_ring_is_asked_when_the_log_is_held(original: tuple[Owner, Ledger], tmp_path: Path) -> None:
    """A key that is made meanwhile signs nothing in the state that is judged."""
    asked: list[str] = []
    with original[0].copy(tmp_path) as owner:

        def open_log() -> Sqlite:
            asked.append("log")
            return Sqlite(Path(owner.place))

        def ring() -> tuple[bytes, ...]:
            asked.append("ring")
            return RING

        judge(open_log, Question(ring=ring, now_ms=lambda: NOW_MS), lambda _: None)
    assert asked == ["log", "ring"]
