"""The numbers that README.md and SECURITY.md name are those of the code (ASVS 6.1.1), and no setting is left out."""

import ast
import base64
import importlib.util
import os
import re
import secrets
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern

from secure_auth import urls
from tests.server import ROOT
from throttling.limits import DEFAULTS, Counts, Limit, limits_from_env

UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400, "KiB": 1024, "bytes": 1}
DERIVED = {"SERVER_WORKERS"}  # numbers whose default depends on the machine
MOMENTARY = {"SECRET_KEY"}
UNBOUNDED = 2**31 - 1
KEY_CACHE_SECONDS = 10
# One is bounded by the other.
SESSIONS = {"SESSION_IDLE_SECONDS": "1", "SESSION_LIFETIME_SECONDS": str(UNBOUNDED)}
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def rows(name: str, section: str) -> list[list[str]]:
    """The table rows of a section that begin with a name in code, cells without code marks."""
    text = (ROOT / name).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found][1:]


def variables() -> dict[str, str]:
    """README's configuration table: the default in code marks by variable, empty where it is told in words."""
    table = [row for row in rows("README.md", "Configuration") if row[0].startswith("`")]
    literal = {row[0].strip("`"): re.match(r"`([^`]+)`(?: \(|$)", row[1]) for row in table}
    return {name: match[1] if match else "" for name, match in literal.items()}


class Watched(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def load_settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> tuple[ModuleType, set[str]]:
    """The settings of an installation with these variables, and the names that were read."""
    watched = Watched(given)
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", watched)
        patch.chdir(ROOT)
        spec = importlib.util.spec_from_file_location("documented_settings", ROOT / "secure_auth/settings.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module, watched.asked


def values(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name.isupper() and name not in MOMENTARY}


def seconds(text: str) -> int:
    """`15 min` and the like in seconds, `64 KiB` in bytes, a bare number as it is."""
    found = re.fullmatch(r"([0-9]+)(?: ([A-Za-z]+))?", text)
    assert found, text
    return int(found[1]) * UNITS[found[2] or "s"]


def test_every_variable_that_settings_read_is_in_the_table_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, asked = load_settings(monkeypatch)
    documented = {name for name in variables() if not name.startswith("LIMIT_")}
    assert documented == asked


def test_nothing_but_settings_reads_the_environment() -> None:
    allowed = {"secure_auth/env.py", "secure_auth/settings.py", "secure_auth/wsgi.py", "manage.py"}
    files = [ROOT / "manage.py"]
    for package in ("secure_auth", "mfa", "throttling", "audit"):
        files += (ROOT / package).rglob("*.py")
    reading = {
        str(path.relative_to(ROOT))
        for path in files
        if re.search(r"\bos\.environ|\bgetenv", path.read_text())
    }
    assert reading == allowed


def test_documented_defaults_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = values(load_settings(monkeypatch)[0])
    for name, default in variables().items():
        if not default or name.startswith("LIMIT_"):
            continue
        given = usual["ORIGIN"] if default == "ORIGIN" else default
        assert values(load_settings(monkeypatch, **{name: given})[0]) == usual, name


def test_every_number_has_its_default_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = values(load_settings(monkeypatch)[0])
    for name, default in variables().items():
        if type(usual.get(name)) is int and name not in DERIVED:
            assert default == str(usual[name]), name


def bounds(meaning: str) -> tuple[int, int]:
    """The least and the most that README's table allows a whole number."""
    span = re.search(r"\b([0-9]+|twice that) to ([0-9]+)\b", meaning)
    most = re.search(r"\b(?:at most|up to) ([0-9]+)\b", meaning)
    if span:
        return 2 * KEY_CACHE_SECONDS if span[1] == "twice that" else int(span[1]), int(span[2])
    return 0 if re.search(r"\b0: ", meaning) else 1, int(most[1]) if most else UNBOUNDED


def test_documented_bounds_are_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = values(load_settings(monkeypatch)[0])
    for name, _, meaning in rows("README.md", "Configuration"):
        variable = name.strip("`")
        if type(usual.get(variable)) is not int or variable == "TOTP_DIGITS":
            continue
        least, most = bounds(meaning)
        for value in (least, most):
            module, _ = load_settings(monkeypatch, **{**SESSIONS, variable: str(value)})
            assert values(module)[variable] == value, (variable, value)
        for value in (least - 1, most + 1):
            with pytest.raises(ImproperlyConfigured, match=f"^{variable} "):
                load_settings(monkeypatch, **{**SESSIONS, variable: str(value)})


def set_by(name: str, value: str) -> list[tuple[object, ...]]:
    return [astuple(limit) for limit in limits_from_env({name: value}).values()]


def test_documented_limits_are_the_limits() -> None:
    documented = {name: default for name, default in variables().items() if name.startswith("LIMIT_")}
    assert documented.keys() == {f"LIMIT_{purpose.upper()}" for purpose in DEFAULTS}
    usual = [astuple(limit) for limit in DEFAULTS.values()]
    for name, default in documented.items():
        assert set_by(name, default) == usual, name
    assert all(set_by(name, "7") != usual for name in documented)


COUNTED = {
    Counts.ATTEMPTS: "attempts",
    Counts.FAILURES: "failures",
    Counts.DISTINCT_FAILURES: "accounts failing",
}


@pytest.mark.parametrize("limit", DEFAULTS.values(), ids=str)
def test_security_page_tells_each_limit(limit: Limit) -> None:
    table = {row[0].strip("`"): row for row in rows("SECURITY.md", "Limits")}
    assert table.keys() == {f"LIMIT_{purpose.upper()}" for purpose in DEFAULTS}
    _, allowed, window, lock, owner, endpoints = table[f"LIMIT_{limit.purpose.upper()}"]
    assert allowed == f"{limit.allowed} {COUNTED[limit.counts]}"
    if limit.window_seconds:
        assert seconds(window) == limit.window_seconds
    else:
        word, _, forgotten = window.partition(", forgotten after ")
        assert word == "consecutive"
        assert (seconds(forgotten) if forgotten else 0) == limit.forget_seconds
    if limit.lock_seconds:
        first, _, most = lock.partition(", doubling to ")
        assert (seconds(first), seconds(most)) == (limit.lock_seconds, limit.lock_max_seconds)
    else:
        assert not re.search("[0-9]", lock)
    assert owner
    assert endpoints


def test_security_page_tells_each_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = values(load_settings(monkeypatch)[0])
    table = {row[1].strip("`"): row[2] for row in rows("SECURITY.md", "Lifetimes")}
    configurable = {name for name in variables() if name.endswith("_SECONDS")}
    assert table.keys() == configurable
    assert {name: seconds(told) for name, told in table.items()} == {name: usual[name] for name in table}


def test_security_page_names_each_endpoint_that_wants_a_fresh_factor() -> None:
    told = {row[1].strip("`"): row[3] for row in rows("SECURITY.md", "Lifetimes")}["REAUTHENTICATION_SECONDS"]
    named = tuple(name.rpartition(" ")[2] for name in re.findall("`([^`]+)`", told))
    fresh = {
        re.sub("<id:[a-z_]+>", "{id}", str(route.pattern))
        for route in urls.api
        if isinstance(route, URLPattern)
        and hasattr(route.callback, "cls")
        and any(route.callback.cls.needs_fresh(method) for method in ("GET", "POST", "DELETE"))
    }
    under = tuple(name for name in named if name.startswith("admin/"))
    assert {path for path in fresh if path not in named and not path.startswith(under)} == set()


def constants(path: Path) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def product(node: ast.expr) -> float:
    """The value of a number or a product of numbers."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return product(node.left) * product(node.right)
    return float(ast.literal_eval(node))


@pytest.mark.parametrize("row", rows("SECURITY.md", "Fixed numbers"), ids=lambda row: row[0])
def test_security_page_tells_each_fixed_number(row: list[str]) -> None:
    path, name = re.findall("`([^`]+)`", row[2])
    assert product(constants(ROOT / path)[name]) == seconds(row[1])


def test_make_targets_and_commands_that_the_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    own = {path.stem for path in (ROOT / "secure_auth/management/commands").glob("[a-z]*.py")}
    for path in DOCUMENTS:
        text = path.read_text()
        assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets, path.name
        named = set(re.findall(r'make manage ARGS="([a-z_]+)', text))
        assert named <= own | {"check", "migrate", "help"}, path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        place, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        page = (path.parent / place).resolve() if place else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            dead.append(target)
    assert not dead


def anchors(page: Path) -> set[str]:
    """The ids that a forge gives to headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_production_example_passes_the_deployment_check(tmp_path: Path) -> None:
    lines = (ROOT / "deploy/production.env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given["MASTER_KEY"] == ""
    given |= {"MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(), "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, cwd=ROOT, env=kept | given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
