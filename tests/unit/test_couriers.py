"""A program that checkpoints are handed to takes everything that it started with it when it is ended."""

import contextlib
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401
from secure_auth import couriers
from tests.redis_processes import wait_until

HANGS = "sleep 300 & echo $! > {0}.new; mv {0}.new {0}; cat > {1}; wait"


@contextlib.contextmanager
def started(tmp_path: Path) -> Iterator[list[str]]:
    """A command that hangs in what it started; which is gone when the block is left."""
    child, note = tmp_path / "child", tmp_path / "note"
    yield ["sh", "-c", HANGS.format(shlex.quote(str(child)), shlex.quote(str(note)))]
    assert note.read_text() == "a note"
    place = Path("/proc", child.read_text().strip(), "stat")
    wait_until(lambda: not place.exists() or place.read_text().rpartition(")")[2].split()[0] == "Z", 5)


def test_a_command_that_hangs_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "COMMAND_SECONDS", 2)
    with started(tmp_path) as command, pytest.raises(subprocess.TimeoutExpired):
        couriers.hand_to(command, "a note")


def test_it_does_not_outlive_the_worker(tmp_path: Path) -> None:
    with started(tmp_path) as command:
        raised = list[Exception]()

        def hand_to() -> None:
            try:
                couriers.hand_to(command, "a note")
            except subprocess.CalledProcessError as error:
                raised.append(error)

        thread = threading.Thread(target=hand_to)
        thread.start()
        wait_until(lambda: (tmp_path / "note").exists() and (tmp_path / "note").read_text(), 20)
        couriers.end_commands()
        thread.join(20)
        assert raised


def test_one_that_fails_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        couriers.hand_to(["false"], "a note")
    couriers.hand_to(["true"], "a note")
