"""What an audit.prune covers, to the millisecond and to the entry."""

import pytest

import tests.ready  # noqa: F401
from audit.filters import id_prefix
from audit.verify.cover import Pruning

BEFORE_MS, LOG, ENTRIES = 1_790_000_000_000, 2, 300


def event_at(milliseconds: int) -> str:
    return f"{id_prefix(milliseconds)}-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("milliseconds", "place", "is_covered"),
    [
        (BEFORE_MS - 1, (LOG, ENTRIES - 1), True),
        (BEFORE_MS - 1, (LOG - 1, 9 * ENTRIES), True),
        (BEFORE_MS, (LOG, ENTRIES - 1), False),
        (BEFORE_MS - 1, (LOG, ENTRIES), False),
        (BEFORE_MS - 1, (LOG + 1, 0), False),
    ],
)
def test_pruning_covers_what_is_older_and_integrated_before_it(
    milliseconds: int, place: tuple[int, int], is_covered: bool
) -> None:
    assert Pruning(BEFORE_MS, LOG, ENTRIES).covers(event_at(milliseconds), place) is is_covered


@pytest.mark.parametrize(
    ("other", "is_included"),
    [
        (Pruning(BEFORE_MS, LOG, ENTRIES), True),
        (Pruning(BEFORE_MS - 1, LOG - 1, 9 * ENTRIES), True),
        (Pruning(BEFORE_MS + 1, LOG, ENTRIES), False),
        (Pruning(BEFORE_MS, LOG, ENTRIES + 1), False),
        (Pruning(BEFORE_MS, LOG + 1, 0), False),
    ],
)
def test_pruning_that_covers_more_is_not_forgotten(other: Pruning, is_included: bool) -> None:
    assert Pruning(BEFORE_MS, LOG, ENTRIES).includes(other) is is_included
