"""Checkpoints leave the machine: appended to a file, and handed to a program; a failure of either is made good."""

import re
import shlex
import socket
import sys
from pathlib import Path

from audit.verify.notes import parse_checkpoint, parse_key, read_checkpoint
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import running_server

STORE = """
import pathlib, sys
place = pathlib.Path(sys.argv[1])
if not place.is_dir():
    sys.exit("no such bucket")
note = sys.stdin.read()
whole = place.with_suffix(".new")
whole.write_text(note)
whole.rename(place / note.splitlines()[1])
"""


def notes_of(path: Path) -> list[str]:
    """The checkpoints of a file: each ends where its signatures do."""
    return re.findall(r"(?:[^\u2014\n]+\n){3}\n(?:\u2014 .+\n)+", path.read_text()) if path.exists() else []


def sizes(notes: list[str], keys: list[str]) -> list[int]:
    return [read_checkpoint(note, [parse_key(key) for key in keys]).size for note in notes]


def test_each_new_checkpoint_is_appended_and_handed_on(tmp_path: Path) -> None:
    share, bucket = tmp_path / "share", tmp_path / "bucket"
    share.mkdir()
    file = share / "checkpoints"
    environment = {
        "AUDIT_LOG_PUBLIC": "true",
        "CHECKPOINT_FILE": str(file),
        "CHECKPOINT_COMMAND": shlex.join([sys.executable, "-c", STORE, str(bucket)]),
    }
    with running_server("sqlite", tmp_path, environment=environment) as server:
        client = Client(server, new_address())
        keys = client.get("audit/log/vkeys").text.split()
        wait_until(lambda: notes_of(file), 30)
        before = file.read_text()
        file.write_text(before + "torn by a cra")  # as a crash leaves it
        bucket.mkdir()
        client.login(Person(new_email()), "a wrong passphrase")
        wait_until(lambda: len(notes_of(file)) > 1, 30)
        wait_until(lambda: list(bucket.iterdir()), 30)

        assert file.read_text().startswith(before + "torn by a cra\n")
        appended = sizes(notes_of(file), keys)
        assert appended == sorted(set(appended))
        assert sizes([path.read_text() for path in bucket.iterdir()], keys)
        newest = parse_checkpoint(client.get("audit/log/checkpoint").text.partition("\n\n")[0] + "\n")
        assert appended[-1] <= newest.size

        server.stop()
        server.nodes.clear()
        server.start_node()
        client.login(Person(new_email()), "a wrong passphrase")
        wait_until(lambda: sizes(notes_of(file), keys)[-1] > appended[-1], 30)
        again = sizes(notes_of(file), keys)
        assert again == sorted(set(again))
        client.close()


def is_alive(place: Path) -> bool:
    try:
        return place.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_that_hangs_ends_with_a_service_of_which_more_hangs(tmp_path: Path) -> None:
    """A mail server that says nothing is waited for as well: what is left of the time to stop is both's."""
    begun = tmp_path / "begun"
    hangs = f"echo $$ > {begun}.new; mv {begun}.new {begun}; exec sleep 300"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "CHECKPOINT_COMMAND": shlex.join(["sh", "-c", hangs]),
            "EMAIL_URL": f"smtp://127.0.0.1:{silent.getsockname()[1]}",
        }
        with running_server("sqlite", tmp_path / "service", environment=environment) as server:
            client = Client(server, new_address())
            expect(client.register(Person(new_email())), 202)
            client.close()
            connection, _ = silent.accept()
            wait_until(begun.exists, 30)
            place = Path("/proc", begun.read_text().strip(), "stat")
            assert is_alive(place)
            assert server.nodes[0].stop() == 0
            connection.close()
            wait_until(lambda: not is_alive(place), 2)
