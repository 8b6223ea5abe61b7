"""What export_log never wrote into a file of an export: nothing is planted beside what is judged, and judging ends."""

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tests.ready  # noqa: F401
from audit.offline import write_export
from audit.verify.export import Export
from audit.verify.faults import Bad
from audit.verify.notes import parse_key
from audit.verify.verdict import Question, judge
from tests import ledger
from tests.ledger import NOW_MS, PRUNED, SIZE, VKEYS, WITNESS

DEEP = "[" * 200_000
MANIFEST, OPENINGS, LAST, OLDER = (
    "export.json", "log/1/openings/000", f"log/1/openings/002.p/{SIZE % 256}", "log/1/checkpoints/000",
)  # fmt: skip
OPENED = 6
LINE = {"index": SIZE, "openings": {"ip": {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "value": "192.0.2.9"}}}
Change = Callable[[str], str]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def in_line(index: int, change: Callable[[dict[str, Any]], Any]) -> Change:
    def changed(text: str) -> str:
        lines = [json.loads(line) for line in text.split("\n") if line]
        return "".join(compact(change(it) if it["index"] == index else it) + "\n" for it in lines)

    return changed


def with_comments(line: dict[str, Any]) -> Any:
    return {**line, "openings": {name: {**it, "comment": "x"} for name, it in line["openings"].items()}}


def put(**members: Any) -> Change:
    return lambda text: json.dumps({**json.loads(text), **members})


ODD: dict[str, tuple[str, Change]] = {
    "a line of no entry": (LAST, lambda text: text + compact(LINE)),
    "a line of another tile": (OPENINGS, lambda text: text + compact(LINE)),
    "a line with more in it": (OPENINGS, in_line(OPENED, lambda line: {**line, "note": "x"})),
    "an opening with more in it": (OPENINGS, in_line(OPENED, with_comments)),
    "a whole event said to be pruned": (
        OPENINGS,
        lambda text: compact({"index": 0, "event": "x", "pruned": True}) + "\n" + text,
    ),
    "a pruned event that is not": (
        OPENINGS,
        in_line(PRUNED.start, lambda line: {**line, "pruned": False}),
    ),
    "an index that is true": (
        OPENINGS,
        in_line(PRUNED.start, lambda line: {**line, "index": True}),
    ),
    "a line that stands twice": (OPENINGS, lambda text: text[: text.index("\n") + 1] + text),
    "openings in a list": (OPENINGS, in_line(OPENED, lambda line: {**line, "openings": []})),
    "a line that is a list": (OPENINGS, lambda text: "[]\n" + text),
    "a line nested too deeply": (OPENINGS, lambda text: f"{DEEP}\n{text}"),
    "a manifest nested too deeply": (MANIFEST, lambda _: DEEP),
    "endlessly many that wait": (
        MANIFEST,
        lambda text: text.replace('"pending": ', '"pending": 1e999, "x": '),
    ),
    "a number of those that wait in text": (MANIFEST, put(pending="7")),
    "logs in text": (MANIFEST, put(logs="1")),
    "a log that is true": (MANIFEST, put(logs=[True])),
    "a checkpoint nested too deeply": (OLDER, lambda text: f"{DEEP}\n{text}"),
}


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("odd-exports")
    with ledger.database("sqlite", directory) as owner:
        ledger.fill(owner, ledger.make())
        store = owner.opener()()
        try:
            write_export(store, directory / "out", VKEYS, lambda _done, _total: None)
        finally:
            store.close()
    return directory / "out"


def judged(directory: Path, say: Callable[[str], None] = lambda _: None) -> str:
    keys = [parse_key(key) for key in VKEYS]
    return judge(partial(Export, directory), Question(keys, now_ms=lambda: NOW_MS), say)


def test_the_export_itself_is_good(genuine: Path) -> None:
    assert judged(genuine).startswith(f"ok: {SIZE} entries")


def test_a_witness_whose_line_stands_twice_counts_once(genuine: Path, tmp_path: Path) -> None:
    altered = tmp_path / "out"
    shutil.copytree(genuine, altered)
    notes = [json.loads(line) for line in (altered / OLDER).read_text("utf-8").splitlines()]
    doubled = [
        note + "".join(line for line in note.splitlines(True) if f" {WITNESS} " in line) for note in notes
    ]
    assert len("".join(doubled)) > len("".join(notes))
    (altered / OLDER).write_text("".join(f"{compact(note)}\n" for note in doubled), "utf-8")
    for directory in (genuine, altered):
        said: list[str] = []
        judged(directory, said.append)
        assert [line for line in said if "stored checkpoints, 1 cosignatures" in line]


@pytest.mark.parametrize("name", ODD)
def test_what_was_never_exported_is_found(genuine: Path, tmp_path: Path, name: str) -> None:
    path, change = ODD[name]
    altered = tmp_path / "out"
    shutil.copytree(genuine, altered)
    before = (altered / path).read_text("utf-8")
    (altered / path).write_text(change(before), "utf-8")
    assert (altered / path).read_text("utf-8") != before
    with pytest.raises(Bad, match=r"malformed line|is no export of version 1|is not of its kind"):
        judged(altered)


def test_nothing_stands_behind_the_last_entry_of_a_bundle(genuine: Path, tmp_path: Path) -> None:
    altered = tmp_path / "out"
    shutil.copytree(genuine, altered)
    with (altered / "log/1/tile/entries/000").open("ab") as bundle:
        bundle.write(b"\0")
    with pytest.raises(Bad, match="does not hold 256 entries"):
        judged(altered)


FILES = [
    MANIFEST,
    "log/1/checkpoint",
    OLDER,
    OPENINGS,
    "log/1/tile/0/000",
    "log/1/tile/1/000.p/2",
    "log/1/tile/entries/000",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, partial(os.symlink, "/dev/zero")], ids=["pipe", "dir", "device"]
)
def test_what_is_no_file_is_named_and_not_read(
    genuine: Path, tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    """A pipe would be read for ever, a device fill all memory."""
    altered = tmp_path / "out"
    shutil.copytree(genuine, altered)
    (altered / name).unlink()
    make(altered / name)
    with pytest.raises(Bad, match=f"the file {name} of the export is no file"):
        judged(altered)


@pytest.mark.parametrize("name", FILES)
def test_file_that_the_judge_may_not_read_accuses_nobody(
    genuine: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == genuine / name:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(PermissionError):
        judged(genuine)


def test_directory_that_is_not_there_accuses_nobody(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        judged(tmp_path / "missing")


@pytest.mark.parametrize(
    "line", ['"half', "null,", DEEP, "9" * 5000], ids=["half", "comma", "deep", "number"]
)
def test_malformed_line_of_checkpoints_is_told_by_its_file(genuine: Path, tmp_path: Path, line: str) -> None:
    altered = tmp_path / "out"
    shutil.copytree(genuine, altered)
    with (altered / OLDER).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(Bad, match=rf"log 1: the file {OLDER.removeprefix('log/1/')} has a malformed line"):
        judged(altered)
