"""An owner of the database alters the log, which no trigger refuses: docs/tamper-matrix.md says what is found of it.

Every deed is done on both databases, and the log judged by itself and with a checkpoint that was kept outside.
`python -m tests.attacks.tamper_matrix` writes the table anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks import tamper_matrix
from tests.attacks.alterations import ALTERATIONS
from tests.attacks.altered_columns import Alteration
from tests.attacks.tamper_matrix import MARK, TABLE, VENDORS
from tests.ledger import Ledger, Owner


@pytest.fixture(scope="module", params=VENDORS)
def original(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Owner, Ledger]]:
    with tamper_matrix.original(request.param, tmp_path_factory.mktemp("log")) as found:
        yield found


def told() -> dict[str, list[str]]:
    """What the table says of each deed: by itself, with a checkpoint kept outside."""
    lines = TABLE.read_text().partition(MARK)[2].splitlines()
    rows = [re.split(r"(?<!\\) \| ", line[2:-2]) for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if row[0] != "done to the database"}


def test_log_that_nobody_altered_is_good(original: tuple[Owner, Ledger]) -> None:
    owner, _ = original
    assert tamper_matrix.said(owner, ()) == tamper_matrix.UNSEEN


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda each: each.deed.replace("`", ""))
def test_table_says_what_is_found(
    original: tuple[Owner, Ledger], alteration: Alteration, tmp_path: Path
) -> None:
    owner, log = original
    alone, outside = map(tamper_matrix.cell, tamper_matrix.verdicts(alteration, owner, log, tmp_path))
    row = told()[alteration.deed]
    assert [alone, "the same" if alone == outside else outside] == row


def test_table_has_every_deed_and_no_other() -> None:
    assert list(told()) == [each.deed for each in ALTERATIONS]
