"""Hundreds of requests in one moment, from several client processes, spread over a service's nodes."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from tests.bench.load import build
from tests.server import ROOT, Server

PROCESSES = 4


@dataclass(frozen=True)
class Hit:
    """What one request of a barrage came to; `seconds` after the moment they were let go."""

    status: int
    body: str
    seconds: float

    @property
    def code(self) -> str:
        """The problem's code; "ok" for a success, "broken" where no answer came."""
        if not self.status:
            return "broken"
        return "ok" if self.status < 400 else str(json.loads(self.body)["code"])


def shot(
    server: Server, path: str, body: Any, *, address: str, token: str = "", method: str = "POST"
) -> bytes:
    """A request below /api/v1/ from a source address."""
    host = server.origin.partition("://")[2]
    return build(method, f"/api/v1/{path}", body=body, token=token, address=address, host=host)


def guess(server: Server, email: str, password: str, *, address: str, device: str = "") -> bytes:
    """A password step, with a device token if there is one."""
    request = shot(server, "login/", {"email": email, "password": password}, address=address)
    line, _, rest = request.partition(b"\r\n")
    return b"\r\n".join([line, f"X-Device-Token: {device}".encode(), rest]) if device else request


def barrage(server: Server, shots: Iterable[bytes]) -> list[Hit]:
    """Fire all at once; the answers in order.

    Each is sent but for its last byte before the first is let go, so that none is early.
    """
    ports = [node.port for node in server.nodes]
    aimed = [(ports[number % len(ports)], each.hex()) for number, each in enumerate(shots)]
    share = -(-len(aimed) // PROCESSES)
    magazines = [aimed[start : start + share] for start in range(0, len(aimed), share)]
    cannons = [_start() for _ in magazines]
    try:
        for cannon, magazine in zip(cannons, magazines, strict=True):
            _tell(cannon, json.dumps(magazine))
        for cannon in cannons:
            assert _listen(cannon) == "ready\n"
        for cannon in cannons:
            _tell(cannon, "fire")
        return [Hit(*answer) for cannon in cannons for answer in json.loads(_listen(cannon))]
    finally:
        for cannon in cannons:
            cannon.kill()
            cannon.communicate()


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.attacks.cannon"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tell(cannon: subprocess.Popen[str], line: str) -> None:
    pipe: IO[str] | None = cannon.stdin
    assert pipe
    pipe.write(line + "\n")
    pipe.flush()


def _listen(cannon: subprocess.Popen[str]) -> str:
    assert cannon.stdout
    return cannon.stdout.readline()


def tally(hits: Iterable[Hit]) -> Counter[str]:
    """How many answers had which code."""
    return Counter(hit.code for hit in hits)
