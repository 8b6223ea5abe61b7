"""What is to hold the master key and has no end: a program that prints without end, a file that is read without end."""

import resource
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import tests.ready  # noqa: F401
from secure_auth import master_key

KEY = bytes(range(100, 132)).hex()
MOST_KIB = 128 * 1024


def most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ask(monkeypatch: pytest.MonkeyPatch, command: str) -> bytes:
    monkeypatch.setattr(settings, "MASTER_KEY_COMMAND", shlex.split(command))
    return master_key._master_key_of_command()


@pytest.mark.parametrize("prints", [f"echo {KEY}", f"echo {KEY}; sleep 60 &"])
def test_a_program_prints_the_key(monkeypatch: pytest.MonkeyPatch, prints: str) -> None:
    """Whatever it leaves behind, with its output open."""
    assert ask(monkeypatch, f"sh -c {shlex.quote(prints)}") == bytes.fromhex(KEY)


def test_a_program_that_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="printed no key"):
        ask(monkeypatch, "true")


def test_a_program_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="sh ended with status 3"):
        ask(monkeypatch, f"sh -c {shlex.quote(f'echo {KEY}; exit 3')}")


def test_a_program_that_prints_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_key, "COMMAND_SECONDS", 2)
    before = most_memory()
    with pytest.raises(ImproperlyConfigured, match="did not answer"):
        ask(monkeypatch, "yes")
    assert most_memory() - before < MOST_KIB


def test_a_file_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = {"MASTER_KEY": None, "MASTER_KEY_COMMAND": None}
    for name, value in {**unset, "MASTER_KEY_FILE": Path("/dev/zero"), "PRODUCTION": False}.items():
        monkeypatch.setattr(settings, name, value)
    master_key.master_key.cache_clear()
    try:
        with pytest.raises(ImproperlyConfigured, match="does not hold a key"):
            master_key.master_key()
    finally:
        master_key.master_key.cache_clear()
