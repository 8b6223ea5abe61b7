"""The checkpoint that is kept outside the database moves forward only, and no log's last word is lost."""

from pathlib import Path

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
