"""The checkpoint that is kept outside the database moves forward only, and no log's last word is lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.kept import keep, read_kept
from audit.notes import Signer, sign_checkpoint

SIGNER = Signer(bytes(32), lambda text: bytes(64))


def checkpoint(origin: str, size: int) -> str:
    return sign_checkpoint(origin, size, size.to_bytes(32), [SIGNER])


def test_a_smaller_one_of_the_same_log_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    assert keep(path, checkpoint("log", 7))
    assert not keep(path, checkpoint("log", 6))
    assert keep(path, checkpoint("log", 8))
    kept = read_kept(path)
    assert kept is not None
    assert (kept.origin, kept.size) == ("log", 8)


def test_logs_that_ended_at_one_size_are_all_set_aside(tmp_path: Path) -> None:
    path, logs = tmp_path / "checkpoint", ("log", "log/2", "log/3", "log/4")
    for origin in logs:
        assert keep(path, checkpoint(origin, 1))
    found = [read_kept(tmp_path / f"checkpoint{aside}") for aside in (".1", ".1.2", ".1.3", "")]
    assert [kept and kept.origin for kept in found] == list(logs)


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def test_what_root_keeps_belongs_to_who_owns_the_directory(tmp_path: Path) -> None:
    """The service, which is not root, reads it next, and takes its lock."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
    path = tmp_path / "checkpoint"
    for size in (1, 2):
        assert keep(path, checkpoint("log", size))
        for file in (path, tmp_path / "checkpoint.lock"):
            assert (owner(file), file.stat().st_mode & 0o777) == (owner(tmp_path), 0o600)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_no_file_of_others_is_written_through_a_link(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """Planted by who owns the directory, for root's next command."""
    foreign = tmp_path / "foreign"
    foreign.write_text("untouched")
    link(foreign, tmp_path / "checkpoint.new")
    assert keep(tmp_path / "checkpoint", checkpoint("log", 1))
    assert foreign.read_text() == "untouched"
    assert read_kept(tmp_path / "checkpoint")


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.lock").symlink_to(tmp_path / "foreign")
    with pytest.raises(OSError, match="symbolic link"):
        keep(tmp_path / "checkpoint", checkpoint("log", 1))
    assert not (tmp_path / "foreign").exists()
