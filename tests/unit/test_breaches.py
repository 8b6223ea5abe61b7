"""Looking passwords up among those known from breaches: an ordered file, a directory of ranges, a range API."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401
from secure_auth import breaches
from secure_auth.breaches import LocalList, RangeApi, Unavailable
from tests.ranges import MOODS_OF_NONSENSE, Ranges, digest_of, running_ranges, write_ordered
from tests.redis_processes import wait_until

KNOWN = ["Password1!", "correct horse", "пароль", "tr0ub4dor&3"]
PATIENCE_SECONDS = breaches.WAIT_SECONDS + 8  # a busy test machine; one drip lasts longer by far


@pytest.fixture
def ranges() -> Iterator[Ranges]:
    with running_ranges() as running:
        running.known |= set(KNOWN)
        yield running


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_every_line_of_an_ordered_file_is_found_and_nothing_else(tmp_path: Path, end: str) -> None:
    asked = LocalList(write_ordered(tmp_path / "list.txt", KNOWN, end=end))
    known = [*KNOWN, *(f"other-{number}" for number in range(500))]
    assert all(asked.knows(digest_of(password)) for password in known)
    assert not any(asked.knows(digest_of(f"unknown {number}")) for number in range(500))
    assert not asked.knows("0" * 40)
    assert not asked.knows("F" * 40)


def test_small_files_and_a_last_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    for lines in (1, 2, 3):
        digests = sorted(digest_of(password) for password in KNOWN[:lines])
        path.write_text("\n".join(f"{digest}:3" for digest in digests))
        asked = LocalList(path)
        assert all(asked.knows(digest) for digest in digests)
        assert not asked.knows(digest_of("unknown"))
    path.write_bytes(b"")
    assert not LocalList(path).knows(digest_of("unknown"))


def test_lower_case_hashes_are_found(tmp_path: Path) -> None:
    path = write_ordered(tmp_path / "list.txt", KNOWN)
    path.write_bytes(path.read_bytes().lower())
    assert LocalList(path).knows(digest_of(KNOWN[0]))


@pytest.mark.parametrize(
    "content", [b"password\n" * 100, bytes(5000), b"\n" * 500, b"x" * 5000, b"0" * 40 + b"\n"]
)
def test_a_file_that_is_no_list_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(Unavailable):
        LocalList(path).knows(digest_of(KNOWN[0]))


def test_a_list_that_is_replaced_or_gone_is_seen_at_once(tmp_path: Path) -> None:
    path = write_ordered(tmp_path / "list.txt", KNOWN[:1])
    asked = LocalList(path)
    assert not asked.knows(digest_of("new"))
    write_ordered(tmp_path / "next.txt", ["new"]).replace(path)
    assert asked.knows(digest_of("new"))
    path.unlink()
    with pytest.raises(Unavailable):
        asked.knows(digest_of("new"))


def test_a_directory_of_ranges_is_read_by_prefix(tmp_path: Path) -> None:
    digest = digest_of(KNOWN[0])
    (tmp_path / f"{digest[:5]}.txt").write_text(f"{'0' * 35}:0\r\n{digest[5:]}:42\r\n")
    asked = LocalList(tmp_path)
    assert asked.knows(digest)
    assert not asked.knows(digest[:5] + "1" * 35)
    with pytest.raises(Unavailable):
        asked.knows(digest_of("of a range that is not there"))


def test_range_api_is_told_five_digits_and_asked_for_padding(ranges: Ranges) -> None:
    api = RangeApi(ranges.url)
    assert all(api.knows(digest_of(password)) for password in KNOWN)
    assert not api.knows(digest_of("unknown"))
    wanted = [f"/range/{digest_of(password)[:5]}" for password in (*KNOWN, "unknown")]
    assert ranges.asked == [(path, "true") for path in wanted]


def test_padding_is_no_match(ranges: Ranges) -> None:
    ranges.mood = "padded"
    assert not RangeApi(ranges.url).knows(digest_of(KNOWN[0]))


@pytest.mark.parametrize("mood", MOODS_OF_NONSENSE)
def test_nonsense_is_no_verdict_and_keeps_nobody_long(ranges: Ranges, mood: str) -> None:
    ranges.mood = mood
    began = time.monotonic()
    with pytest.raises(Unavailable):
        RangeApi(ranges.url).knows(digest_of(KNOWN[0]))
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert len(ranges.asked) == 1, "no redirect is followed, nothing is asked twice"


def test_nobody_waits_again_for_an_api_that_just_failed(
    ranges: Ranges, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, ranges.mood = RangeApi(ranges.url), "failing"
    for _ in range(3):
        with pytest.raises(Unavailable):
            api.knows(digest_of(KNOWN[0]))
    assert len(ranges.asked) == 1
    monkeypatch.setattr(breaches, "PAUSE_SECONDS", 0.0)
    api = RangeApi(ranges.url)
    with pytest.raises(Unavailable):
        api.knows(digest_of(KNOWN[0]))
    ranges.mood = "well"
    assert api.knows(digest_of(KNOWN[0]))


@pytest.mark.parametrize("mood", ["dripping", "hinting"])
def test_an_api_that_begins_to_answer_without_end_takes_no_place_for_good(
    ranges: Ranges, monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setattr(breaches, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(breaches, "MOST_AT_ONCE", 1)
    api, ranges.mood = RangeApi(ranges.url), mood
    with pytest.raises(Unavailable):
        api.knows(digest_of(KNOWN[0]))
    ranges.mood = "well"
    wait_until(lambda: bool(api._free), PATIENCE_SECONDS)
    assert api.knows(digest_of(KNOWN[0]))


def test_an_api_is_not_told_who_comes_again(ranges: Ranges) -> None:
    api, ranges.mood = RangeApi(ranges.url), "marking"
    assert all(api.knows(digest_of(password)) for password in KNOWN)
    assert ranges.cookies == [""] * len(KNOWN)


def test_an_api_that_nobody_serves() -> None:
    with pytest.raises(Unavailable):
        RangeApi("http://127.0.0.1:9/range/").knows(digest_of(KNOWN[0]))


def test_look_ups_for_which_no_thread_was_left_take_no_place(
    ranges: Ranges, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(breaches, "PAUSE_SECONDS", 0.0)
    api = RangeApi(ranges.url)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        for _ in range(breaches.MOST_AT_ONCE):
            with pytest.raises(Unavailable):
                api.knows(digest_of(KNOWN[0]))
    assert api.knows(digest_of(KNOWN[0]))
