"""A witness in a process of its own, and a log that exists only in memory and can lie."""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle, notes
from audit.verify.notes import parse_key, verify_cosignature
from audit.witness.submission import format_submission
from tests.forks import Forked
from tests.redis_processes import wait_until
from tests.server import LIBRARIES, TLS, free_port

ORIGIN = "log.example.org/audit"


@dataclass
class MemoryLog:
    """A log of leaf hashes. `fork` is another history that begins with the first entries of this one."""

    leaves: list[bytes] = field(default_factory=list)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    origin: str = ORIGIN

    @property
    def verifier_key(self) -> str:
        return notes.verifier_key(self.origin, self.key.public_key().public_bytes_raw())

    def grow(self, count: int, what: str = "honest") -> "MemoryLog":
        start = len(self.leaves)
        self.leaves += [merkle.leaf_hash(f"{what} {index}".encode()) for index in range(start, start + count)]
        return self

    def fork(self, at: int) -> "MemoryLog":
        return MemoryLog(self.leaves[:at], self.key, self.origin)

    def read(self, level: int, first: int, count: int) -> Sequence[bytes]:
        width = merkle.TILE**level
        starts = range(first * width, (first + count) * width, width)
        return [merkle.fold(self.leaves[start : start + width]) for start in starts]

    def checkpoint(self, size: int | None = None, key: Ed25519PrivateKey | None = None) -> str:
        size = len(self.leaves) if size is None else size
        signer = key or self.key
        public = signer.public_key().public_bytes_raw()
        root = merkle.root_of(size, self.read)
        return notes.sign_checkpoint(self.origin, size, root, [notes.Signer(public, signer.sign)])

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        return merkle.consistency_proof(old, len(self.leaves) if size is None else size, self.read)

    def submission(self, old: int, size: int | None = None) -> bytes:
        return format_submission(old, self.proof(old, size), self.checkpoint(size))


@dataclass
class RunningWitness:
    """`manage.py witness`."""

    state: Path
    port: int
    logs: Sequence[str]
    process: Forked | None = None
    verifier_key: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """In an environment that knows nothing of any service."""
        arguments = [
            "--listen",
            f"127.0.0.1:{self.port}",
            "--state",
            str(self.state),
            "--name",
            "witness.test",
        ]
        for log in self.logs:
            arguments += ["--log", log]
        told, its_end = os.pipe()
        with (
            (self.state.parent / f"{self.state.name}.log").open("a") as output,
            os.fdopen(told) as first_line,
        ):
            with os.fdopen(its_end, "w"), Path(os.devnull).open("rb") as nothing:
                files = (nothing.fileno(), its_end, output.fileno())
                self.process = LIBRARIES.start(["witness", *arguments], files)
            self.verifier_key = first_line.readline().strip()
        wait_until(self.answers, 30)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.get("/").status_code == 200
        return False

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=10, trust_env=False, verify=TLS)

    def add(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=10, trust_env=False, verify=TLS)

    def size(self) -> int:
        return int(self.get("/").json()["logs"][0]["size"])

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(10)

    def has_cosigned(self, text: str, lines: str) -> bool:
        """Whether these signature lines are the witness's, of this checkpoint's text."""
        key = parse_key(self.verifier_key)
        return all(verify_cosignature(line, text, [key]) for line in lines.splitlines())


@contextlib.contextmanager
def running_witness(state: Path, *logs: str) -> Iterator[RunningWitness]:
    witness = RunningWitness(state, free_port(), logs)
    witness.start()
    try:
        yield witness
    finally:
        witness.stop()
