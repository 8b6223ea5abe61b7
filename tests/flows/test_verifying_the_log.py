"""What an operator does with the evidence: judge the log of a service that runs, take it elsewhere, prove one event."""

import base64
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Person, expect
from tests.server import ROOT, Server

OK = re.compile(r"ok: (\d+) entries, size (\d+), root ([A-Za-z0-9+/]{43}=), pending (\d+)")
PYTHON = [sys.executable, "manage.py"]


def verdict(output: str) -> re.Match[str]:
    found = OK.fullmatch(output.splitlines()[-1])
    assert found, output
    return found


def elsewhere(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on a machine that has the program, and nothing of the service."""
    environment = {"PATH": "/usr/bin:/bin", "DATA_DIR": str(directory / "nothing")}
    command = [*PYTHON, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert not (directory / "nothing").exists()
    return done


def key_of(server: Server) -> str:
    """The log's verifier key, as the export bears it; an auditor has it from `audit/log/vkey`."""
    return (exported(server) / "vkey").read_text().splitlines()[0]


def exported(server: Server) -> Path:
    """An export, made once a server."""
    directory = server.directory / "exported"
    if not directory.exists():
        assert "entries" in server.manage("export_log", "--out", str(directory)).stdout
    return directory


@pytest.fixture
def person(client: Client) -> Person:
    return client.sign_up()


def test_log_is_found_good_while_the_service_writes_it(
    server: Server, client: Client, person: Person
) -> None:
    stopped = threading.Event()

    def refresh() -> None:
        while not stopped.wait(1.1):  # 60 a minute are allowed
            person.keep(expect(client.refresh(person.refresh), 200))

    thread = threading.Thread(target=refresh)
    thread.start()
    sizes: list[int] = []
    try:
        deadline = time.monotonic() + 10
        while len(sizes) < 3 or (sizes[-1] == sizes[0] and time.monotonic() < deadline):
            sizes.append(int(verdict(server.manage("verify_log").stdout)[2]))
    finally:
        stopped.set()
        thread.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_verify_log_tells_what_it_checked(server: Server, person: Person) -> None:
    said = server.manage("verify_log").stdout
    assert f"continues {server.data_dir / 'checkpoint'} of" in said
    assert re.search(r"events: \d+ as they were, 0 pruned; personal data: [1-9]\d* opened, \d+ erased", said)
    assert "\x1b" not in said  # no bar where no terminal is
    assert person.access


def test_export_is_judged_elsewhere_with_the_same_last_line(
    server: Server, client: Client, person: Person, tmp_path: Path
) -> None:
    client.login(person, "a wrong phrase", headers={"User-Agent": b"one\x85two \xe2\x80\xa8 three"})
    directory = tmp_path / "out"
    server.manage("export_log", "--out", str(directory))
    judged = elsewhere(tmp_path, "verify_log", "--export", str(directory), "--key", key_of(server))
    here = tmp_path / "kept"
    here.write_text((directory / "log" / "1" / "checkpoint").read_text())
    found = verdict(judged.stdout)
    assert verdict(server.manage("verify_log", "--checkpoint", str(here)).stdout)
    assert int(found[1]) == int(found[2]) > 0
    assert judged.returncode == 0
    again = server.manage("export_log", "--out", str(directory), check=False)
    assert again.returncode != 0
    assert "is there already" in again.stderr
    assert "audit.read" not in again.stderr, "nothing was read"


def test_altered_export_names_its_first_bad_entry(server: Server, person: Person, tmp_path: Path) -> None:
    directory = tmp_path / "out"
    server.manage("export_log", "--out", str(directory))
    bundle = next((directory / "log" / "1" / "tile" / "entries").rglob("000*/*"), None)
    bundle = bundle or directory / "log" / "1" / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"key.create"', b'"key.rotate"', 1))
    judged = elsewhere(tmp_path, "verify_log", "--export", str(directory), "--key", key_of(server))
    assert judged.returncode == 1
    said = judged.stdout.splitlines()[-1]
    assert re.match(r"BAD: entry 1 \([0-9a-f-]{36}\): its leaf does not give its leaf hash", said)


def test_export_needs_a_key_and_believes_no_other(server: Server) -> None:
    judge = ("verify_log", "--export", str(exported(server)))
    unjudged = server.manage(*judge, check=False)
    assert "--export needs --key" in unjudged.stderr
    assert unjudged.returncode == 2
    garbled = "other.example+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    refused = server.manage(*judge, "--key", garbled, check=False)
    assert "the id in the verifier key is not that of its name and key" in refused.stderr
    assert refused.returncode == 2
    foreign = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    judged = server.manage(*judge, "--key", foreign, check=False)
    assert judged.returncode == 1
    assert judged.stdout.splitlines()[-1].endswith("no trusted key signed it")


def test_proof_of_an_event_is_checked_elsewhere(
    server: Server, client: Client, person: Person, tmp_path: Path
) -> None:
    event = client.get("me/activity/?limit=1", person.access).json()["results"][0]["id"]
    file = tmp_path / "proof.json"
    for _ in range(20):
        done = server.manage("prove", event, "--out", str(file), check=False)
        if done.returncode == 0:
            break
        assert "no checkpoint covers it yet" in done.stderr
        time.sleep(0.5)
    checked = elsewhere(tmp_path, "check_proof", str(file), "--key", key_of(server)).stdout
    where = r"entry \d+ of \d+ in localhost:\d+/api/v1/audit/log"
    assert re.match(rf"ok: event {event} is {where}, [123] values opened, 0 erased", checked)
    proof = json.loads(file.read_text())
    leaf = tmp_path / "leaf"
    leaf.write_text(proof["leaf"])
    text = tmp_path / "proof.txt"
    path = "".join(f"{each}\n" for each in proof["hashes"])
    text.write_text(f"c2sp.org/tlog-proof@v1\nindex {proof['index']}\n{path}\n{proof['checkpoint']}")
    checked = elsewhere(
        tmp_path, "check_proof", str(text), "--leaf", str(leaf), "--key", key_of(server)
    ).stdout
    assert checked.startswith(f"ok: event {event} is entry {proof['index']} of")


def test_readings_by_command_are_events(server: Server) -> None:
    exported(server)
    server.manage("prove", "01a20a2c-881d-764c-ae95-3fa17434e261", check=False)
    found = server.rows("SELECT reason, details FROM audit_event WHERE type = 'audit.read'")
    told = {(reason, _details(details).get("view")) for reason, details in found}
    assert {("by_command", "export"), ("not_found", "proof")} <= told


def _details(stored: Any) -> dict[str, Any]:
    return stored if isinstance(stored, dict) else dict(json.loads(stored))


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (("verify_log", "--checkpoint", "missing"), {}),
        (
            (
                "check_proof",
                "missing",
                "--key",
                "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            ),
            {},
        ),
        (
            (
                "check_proof",
                "/dev/zero",
                "--key",
                "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            ),
            {},
        ),
        (
            (
                "verify_log",
                "--export",
                "missing",
                "--key",
                "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            ),
            {},
        ),
        (("verify_log",), {"PORT": "none"}),
        (("verify_log",), {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"}),
    ],
    ids=["checkpoint", "proof", "endless", "export", "setting", "database"],
)
def test_what_cannot_be_judged_is_not_called_bad(
    server: Server, command: tuple[str, ...], environment: dict[str, str]
) -> None:
    """By whoever has only the status."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT, env={**server.environment, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, "BAD" in done.stdout) == (2, False), done.stderr


def test_cut_database_is_found_by_what_was_kept_elsewhere(server: Server, tmp_path: Path) -> None:
    kept = server.data_dir / "checkpoint"
    origin, size, root, *rest = kept.read_text().split("\n")
    assert len(base64.b64decode(root)) == 32
    larger = tmp_path / "larger"
    larger.write_text("\n".join([origin, str(int(size) + 1), root, *rest]))
    done = server.manage("verify_log", "--checkpoint", str(larger), check=False)
    assert done.returncode == 1
    assert f"BAD: {larger}: the signature of {origin} is forged" in done.stdout
