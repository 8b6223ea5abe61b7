"""What is written anew outlasts a power cut: content first, then its name."""

import os
import stat
from pathlib import Path

import pytest

from audit.owned import replace_owned


def test_content_is_on_the_disk_before_its_name_and_its_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "key", []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    replace_owned(path, "secret\n")
    assert synced == [(False, False), (True, True)]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("secret\n", 0o600)
    assert list(tmp_path.iterdir()) == [path]
