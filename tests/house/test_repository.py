"""What a clone must and must not hold."""

import re
import tomllib

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


def test_packages_bring_every_file_along() -> None:
    """What is no module is installed in an adopting project only when it is named."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("secure_auth", "mfa", "audit", "throttling"):
        brought = {path for pattern in named.get(package, []) for path in (ROOT / package).glob(pattern)}
        files = {path for path in (ROOT / package).rglob("*") if path.is_file()}
        left = {path for path in files - brought if path.suffix not in (".py", ".pyc")}
        assert not left, package
        modules = {path.parent for path in files if path.suffix == ".py"}
        assert all((folder / "__init__.py").exists() for folder in modules), package
