"""What a clone must and must not hold."""

import re

import pytest

from tests.server import ROOT


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_name_no_index_and_pin_every_hash(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith(("-", "/", "."))]
    pins = "\n".join(lines).split("\n")
    starts = [number for number, line in enumerate(pins) if re.match(r"[a-z0-9]", line)]
    assert len(starts) > 20
    for number in starts:
        assert "==" in pins[number]
        assert "--hash=sha256:" in pins[number + 1]


def test_development_lock_holds_the_runtime_lock() -> None:
    pins = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        pins[name] = set(re.findall(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?==[^\s;]+)", text, re.MULTILINE))
    assert pins["requirements.lock"] <= pins["requirements-dev.lock"]
