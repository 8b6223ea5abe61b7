"""A service that publishes to witnesses: one that runs, and one that is always away."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.verify.notes import parse_checkpoint, parse_note
from audit.witness.keyfile import open_key
from audit.witness.record import Record
from tests.client import Client, Person, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, free_port, running_server
from tests.witnesses import RunningWitness

CHECKPOINT = "audit/log/checkpoint"


@dataclass
class Published:
    """A service, its witness, and a client of the service."""

    server: Server
    witness: RunningWitness
    client: Client

    def act(self) -> None:
        """Something that becomes an entry."""
        self.client.login(Person(new_email()), "a wrong passphrase")

    def start_again(self) -> None:
        """The service that was stopped, at the same address."""
        self.server.nodes.clear()
        self.server.start_node()

    def checkpoint(self) -> str:
        return self.client.get(CHECKPOINT).text

    def size(self) -> int:
        return parse_checkpoint(parse_note(self.checkpoint()).text).size

    def is_cosigned(self) -> bool:
        note = self.checkpoint()
        signed = parse_note(note)
        lines = [line for line in note.splitlines() if line.startswith("\u2014 witness.test ")]
        return bool(lines) and self.witness.has_cosigned(signed.text, lines[0])

    def wait_for_more(self, than: int) -> int:
        """The size of a cosigned checkpoint with more entries."""
        wait_until(lambda: self.size() > than and self.is_cosigned(), 30)
        return self.size()


@contextlib.contextmanager
def published(backend: str, directory: Path) -> Iterator[Published]:
    """The witness is away when the service starts: it has to learn the log's key first."""
    state = directory / "witness"
    state.mkdir()
    Record(state / "record.sqlite3")
    key = open_key(state / "key", "witness.test").verifier
    port = free_port()
    environment = {
        "AUDIT_LOG_PUBLIC": "true",
        "LIMIT_REQUESTS": "100000/min",  # the tests look again and again
        "WITNESSES": f"{key} http://127.0.0.1:{port}, {open_key(directory / 'away', 'away.test').verifier} "
        f"http://127.0.0.1:{free_port()}/below",
    }
    with running_server(backend, directory, environment=environment) as server:
        client = Client(server, new_address())
        log = client.get("audit/log/vkey").text.strip()
        witness = RunningWitness(state, port, [log])
        witness.start()
        try:
            yield Published(server, witness, client)
        finally:
            witness.stop()
            client.close()
