"""Log lines wait for their reader, and no request does. None is lost before too many wait, and then that is told."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401
from secure_auth import lines
from secure_auth.lines import PIECE_BYTES, Writer
from tests.redis_processes import wait_until
from tests.server import ROOT


class Reader:
    """What a writer sends to: takes nothing while it is stuck."""

    def __init__(self) -> None:
        self.reads = threading.Event()
        self.pieces: list[bytes] = []
        self.is_asked = threading.Event()

    def take(self, data: bytes) -> bytes:
        self.is_asked.set()
        self.reads.wait(30)
        self.pieces.append(data)
        return b""

    def text(self) -> str:
        return b"".join(self.pieces).decode()


@pytest.fixture
def reader() -> Iterator[Reader]:
    found = Reader()
    yield found
    found.reads.set()


def test_lines_come_whole_in_order_and_many_in_a_piece_that_no_other_process_tears(reader: Reader) -> None:
    reader.reads.set()
    writer = Writer(reader.take)
    told = [f"{number} {'x' * (number % 900)}" for number in range(2000)] + ["y" * 2 * PIECE_BYTES, "last"]
    for line in told:
        writer.put(line)
    writer.finish(30)
    assert reader.text().splitlines() == told
    assert all(piece.endswith(b"\n") for piece in reader.pieces)
    assert len(reader.pieces) < len(told) / 2
    longer = [piece for piece in reader.pieces if len(piece) > PIECE_BYTES]
    assert longer == [f"{told[-2]}\n".encode()]


def test_what_is_too_much_for_a_stuck_reader_is_counted_and_told_when_it_reads_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_WAITING", 5)
    writer = Writer(reader.take)
    writer.put("first")
    assert reader.is_asked.wait(30)
    for number in range(9):
        writer.put(str(number))
    writer.finish(0.05)  # nobody reads: it is not waited for
    reader.reads.set()
    writer.finish(30)
    written = reader.text().splitlines()
    assert written[:6] == ["first", *"01234"]
    assert [(told["event"], told["lines"]) for told in map(json.loads, written[6:])] == [
        ("log.lines_lost", 4)
    ]
    writer.put("later")
    writer.finish(30)
    assert reader.text().splitlines()[7:] == ["later"], "told once"


def test_reader_that_is_too_slow_for_ever_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_WAITING", 5)
    pieces: list[bytes] = []

    def take_slowly(data: bytes) -> bytes:
        pieces.append(data)
        if len(pieces) < 100:  # for each that is taken come two
            writer.put("x" * PIECE_BYTES)
            writer.put("x" * PIECE_BYTES)
        return b""

    writer = Writer(take_slowly)
    writer.put("first")
    wait_until(lambda: len(pieces) >= 100)
    told = [number for number, piece in enumerate(pieces[:50]) if b"log.lines_lost" in piece]
    assert len(told) > 2, "while more come than are read"


LIMITED_FILE = """
import resource, signal, sys
from secure_auth import lines
lines.write_to_standard_output(by_thread=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for number in range(6):
    lines.write(f'{{"number": {number}, "text": "{"x" * 400}"}}')
    lines.finish(30)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for number in range(6, 8):
    lines.write(f'{{"number": {number}}}')
    lines.finish(30)
"""


def test_what_a_file_does_not_take_is_counted_and_tears_no_later_line(tmp_path: Path) -> None:
    with (tmp_path / "lines").open("ab") as output:
        subprocess.run([sys.executable, "-c", LIMITED_FILE], cwd=ROOT, stdout=output, timeout=60, check=True)
    whole, torn = [], []
    for line in (tmp_path / "lines").read_text().splitlines():
        try:
            whole.append(json.loads(line))
        except ValueError:
            torn.append(line)
    assert [told["number"] for told in whole if "number" in told] == [0, 1, 6, 7]
    assert [told["lines"] for told in whole if told.get("event") == "log.lines_lost"] == [4]
    assert [line[:12] for line in torn] == ['{"number": 2']


def test_line_that_finds_no_thread_fails_nothing_and_is_written_with_the_next(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reader.reads.set()
    writer = Writer(reader.take)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", no_thread)
        writer.put("first")
    writer.put("second")
    writer.finish(30)
    assert reader.text() == "first\nsecond\n"


def test_neither_a_line_that_fails_nor_a_reader_that_does_ends_the_writing(reader: Reader) -> None:
    reader.reads.set()
    failed: list[bytes] = []

    def fail_once(data: bytes) -> bytes:
        if not failed:
            failed.append(data)
            raise RuntimeError
        return reader.take(data)

    def broken() -> str:
        raise ValueError("hunter2")

    writer = Writer(fail_once)
    writer.put("nobody reads this")
    wait_until(lambda: bool(failed))
    for line in (broken, lambda: "rendered late", "\ud800"):
        writer.put(line)
    writer.finish(30)
    first, *others = reader.text().splitlines()
    assert json.loads(first) == {"event": "log.line_broken", "level": "error", "error": "ValueError"}
    assert others == ["rendered late", "\\ud800"]


def test_pipe_that_takes_a_part_at_a_time_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with os.fdopen(ours, "rb") as reading, os.fdopen(theirs, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        data = os.urandom(300_000)
        sending = threading.Thread(target=lines.send, args=(data,))
        sending.start()
        time.sleep(0.05)
        assert sending.is_alive(), "the pipe is full"
        assert reading.read(len(data)) == data
        sending.join(30)


def test_stream_that_is_closed_or_gone_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        lines.send(b"nobody\n")
    lines.send(b"closed\n")
    monkeypatch.setattr("sys.stdout", None)
    lines.send(b"gone\n")
    monkeypatch.setattr(lines._Own, "stream", "stdout")
    lines.write("of a process without a thread")


FORKS = """
import os, warnings
from secure_auth import lines
warnings.simplefilter("ignore")  # that threads are running: it is what this is about
lines.write_to_standard_output(by_thread=True)
lines.write("before")
lines.finish(30)
os.write(1, b"|")
lines.write("the parent's")
child = os.fork()
if child == 0:
    lines.write("the child's")
lines.finish(30)
if child:
    os.waitpid(child, 0)
"""


def test_forked_process_writes_its_own_lines_and_none_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    before, _, after = done.stdout.partition("|")
    assert before == "before\n"
    assert sorted(after.splitlines()) == ["the child's", "the parent's"]


LAST = """
import secure_auth.wsgi
from secure_auth import lines
lines.write("last")
"""


def test_process_of_any_wsgi_server_writes_its_last_lines(tmp_path: Path) -> None:
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LAST],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "last\n"


FULL_DISK = """
import os, time
from secure_auth import lines
output = os.dup(1)
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
lines.write_to_standard_output(by_thread=True)
lines.write("while it is full")
time.sleep(0.3)
os.dup2(output, 1)
lines.write("afterwards")
lines.finish(30)
"""


def test_lines_wait_for_a_disk_that_is_full() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["while it is full", "afterwards"]
