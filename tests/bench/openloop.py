"""Requests at a given rate whatever becomes of the answers: `python -m tests.bench.openloop`, in a process of its own.

Reads a plan (JSON) from standard input and prints an Outcome (JSON). Latency counts from the moment a request was due,
so that a stalled server is not asked less. Connections are opened before and kept; a request that finds none free is
not sent but counted, which is what bounds an attacker. Rate 0 sends whenever a connection is free.
"""

import contextlib
import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

from tests.bench.load import parse
from tests.server import ROOT

LINGER_SECONDS = 10


@dataclass(frozen=True)
class Plan:
    """What to send: the requests in turns, `rate` a second, over at most so many connections."""

    url: str
    requests: list[str]
    rate: float
    seconds: float
    connections: int


@dataclass
class Outcome:
    """Status and seconds of each answer (status 0: the connection broke), and how many requests were not sent."""

    answers: list[tuple[int, float]] = field(default_factory=list)
    unsent: int = 0

    def count(self, *statuses: int) -> int:
        return sum(status in statuses for status, _ in self.answers)

    def latencies_ms(self, status: int) -> list[float]:
        return sorted(1000 * seconds for found, seconds in self.answers if found == status)


@dataclass
class Wire:
    """A connection and the answer that is arriving on it."""

    sock: socket.socket
    due: float = 0.0
    received: bytes = b""


def play(plan: Plan) -> Outcome:
    """Send everything that is due; wait a little for the last answers."""
    outcome, requests = Outcome(), cycle(request.encode("latin-1") for request in plan.requests)
    where = (urlsplit(plan.url).hostname or "", urlsplit(plan.url).port or 80)
    free = [Wire(socket.create_connection(where, timeout=60)) for _ in range(plan.connections)]
    began = time.perf_counter()
    end, due = began + plan.seconds, began
    with selectors.DefaultSelector() as selector:
        while (now := time.perf_counter()) < end or (selector.get_map() and now < end + LINGER_SECONDS):
            while due <= now and due < end and (plan.rate or free):
                if free:
                    _send(free.pop(), next(requests), due if plan.rate else now, selector, outcome)
                else:
                    outcome.unsent += 1
                due = due + 1 / plan.rate if plan.rate else now
            wait = 0.001 if not plan.rate else min(0.05, max(0.0, due - time.perf_counter()))
            if not selector.get_map():
                time.sleep(wait)
                continue
            for key, _ in selector.select(wait):
                if _received(key.data, outcome):
                    selector.unregister(key.fileobj)
                    free.append(_usable(key.data, where))
        outcome.answers += [(0, LINGER_SECONDS)] * len(selector.get_map())
    return outcome


def _send(wire: Wire, request: bytes, due: float, selector: selectors.BaseSelector, outcome: Outcome) -> None:
    wire.due, wire.received = due, b""
    with contextlib.suppress(OSError):
        wire.sock.sendall(request)
    selector.register(wire.sock, selectors.EVENT_READ, wire)


def _received(wire: Wire, outcome: Outcome) -> bool:
    """Read what came; True when the answer is whole or the connection is over."""
    try:
        data = wire.sock.recv(262144)
    except OSError:
        data = b""
    wire.received += data
    answer = parse(wire.received) if data else None
    if data and answer is None:
        return False
    outcome.answers.append((answer.status if answer else 0, time.perf_counter() - wire.due))
    if answer is None or b"connection: close" in wire.received.partition(b"\r\n\r\n")[0].lower():
        wire.sock.close()
    return True


def _usable(wire: Wire, where: tuple[str, int]) -> Wire:
    return wire if wire.sock.fileno() >= 0 else Wire(socket.create_connection(where, timeout=60))


def start(plan: Plan) -> subprocess.Popen[str]:
    """Begin to play a plan in another process."""
    command = [sys.executable, "-m", "tests.bench.openloop"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)) + "\n")
    process.stdin.flush()
    return process


def finish(process: subprocess.Popen[str]) -> Outcome:
    """What came of it."""
    output, _ = process.communicate(timeout=180)
    found = json.loads(output)
    return Outcome([(status, seconds) for status, seconds in found["answers"]], found["unsent"])


if __name__ == "__main__":
    print(json.dumps(asdict(play(Plan(**json.loads(sys.stdin.readline()))))))
