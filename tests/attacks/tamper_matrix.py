"""docs/tamper-matrix.md: what is found of each alteration, on both databases.

`python -m tests.attacks.tamper_matrix` does each, judges the log without and with a checkpoint that was kept outside,
and writes the table anew.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from audit.verify.faults import Bad
from audit.verify.notes import parse_key
from audit.verify.verdict import Outside, Question, judge
from tests import ledger
from tests.attacks.alterations import ALTERATIONS
from tests.attacks.altered_columns import Alteration
from tests.ledger import NOW_MS, SIZE, VKEYS, Ledger, Owner
from tests.server import ROOT

TABLE: Final = ROOT / "docs" / "tamper-matrix.md"
MARK: Final = "<!-- made by the tests -->"
VENDORS: Final = ("sqlite", "postgres")
UNSEEN: Final = "**not found**"
ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@contextmanager
def original(vendor: str, directory: Path) -> Iterator[tuple[Owner, Ledger]]:
    """The log before anything is done to it."""
    log = ledger.make()
    with ledger.database(vendor, directory) as owner:
        ledger.fill(owner, log)
        yield owner, log


def verdicts(alteration: Alteration, owner: Owner, log: Ledger, directory: Path) -> tuple[str, str]:
    """What is said of a log to which this was done: judged by itself, and with the checkpoint kept outside."""
    with owner.copy(directory) as altered:
        with altered.connect() as run:
            alteration.act(run, log)
        kept = (Outside("the kept checkpoint", ledger.checkpoint(log.hashes, SIZE)[0]),)
        return said(altered, ()), said(altered, kept)


def said(owner: Owner, outside: tuple[Outside, ...]) -> str:
    """The fault, or UNSEEN."""
    keys = [parse_key(each) for each in VKEYS]
    try:
        judge(owner.opener(), Question(keys=keys, outside=outside, now_ms=lambda: NOW_MS), lambda _: None)
    except Bad as fault:
        return str(fault)
    return UNSEEN


def cell(verdict: str) -> str:
    """A verdict as the table has it: ids of events are left out."""
    return ID.sub("…", verdict).replace("|", "\\|")


def line(alteration: Alteration, cells: dict[str, tuple[str, str]]) -> str:
    """One line of the table: both databases say the same."""
    ((alone, outside),) = set(cells.values())
    return f"| {alteration.deed} | {alone} | {'the same' if alone == outside else outside} |"


def write_table() -> None:
    """Do everything, and write the table."""
    found: dict[str, dict[str, tuple[str, str]]] = {each.deed: {} for each in ALTERATIONS}
    for vendor in VENDORS:
        with tempfile.TemporaryDirectory() as name, original(vendor, Path(name)) as (owner, log):
            for each in ALTERATIONS:
                alone, outside = verdicts(each, owner, log, Path(name))
                found[each.deed][vendor] = (cell(alone), cell(outside))
    before, _, _ = TABLE.read_text().partition(MARK)
    TABLE.write_text(before + MARK + "\n" + "\n".join(table(found)) + "\n")


def table(found: dict[str, dict[str, tuple[str, str]]]) -> Iterator[str]:
    """The lines of the table, group by group."""
    group = ""
    for each in ALTERATIONS:
        if each.group != group:
            group = each.group
            yield f"\n### {group[0].upper()}{group[1:]}\n"
            yield "| done to the database | judged by itself | with a checkpoint kept outside |\n|---|---|---|"
        yield line(each, found[each.deed])


if __name__ == "__main__":
    write_table()
