"""A small load generator: keep-alive connections, each driven by a script that sees its answers.

One thread and plain sockets, so that it takes little of the processor that the server needs. Latency is from the
first byte sent to the last byte received.
"""

import json
import re
import selectors
import socket
import statistics
import time
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Script = Generator[bytes, "Answer", None]  # yields requests, is sent their answers


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Result:
    """Statuses (0: the connection broke), latencies in seconds of whole answers, and the time all took."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def median_ms(self) -> float:
        return 1000 * statistics.median(self.latencies)


@dataclass
class Connection:
    """One script's socket and the answer that is arriving on it."""

    script: Script
    sock: socket.socket
    received: bytes = b""
    began: float = 0.0


def build(
    method: str,
    path: str,
    *,
    body: object = None,
    token: str = "",
    address: str = "",
    host: str = "localhost",
) -> bytes:
    """The bytes of a request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] * bool(content)
    lines += [f"Authorization: Bearer {token}"] * bool(token)
    lines += [f"X-Forwarded-For: {address}"] * bool(address)
    return "\r\n".join([*lines, "\r\n"]).encode() + content


def run(url: str, scripts: Iterable[Script], *, concurrency: int, give_up_seconds: float = 120) -> Result:
    """Play all scripts, `concurrency` at a time, one connection each."""
    result, waiting = Result(), iter(scripts)
    where = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(concurrency):
            _begin(selector, where, waiting)
        while selector.get_map() and time.perf_counter() - began < give_up_seconds:
            for key, _ in selector.select(1):
                connection: Connection = key.data
                if not _step(connection, result):
                    selector.unregister(connection.sock)
                    connection.sock.close()
                    _begin(selector, where, waiting)
        for key in list(selector.get_map().values()):
            key.data.sock.close()
            result.statuses[0] += 1
    result.seconds = time.perf_counter() - began
    return result


def _begin(selector: selectors.BaseSelector, where: tuple[str, int], waiting: Iterable[Script]) -> None:
    script = next(iter(waiting), None)
    if script is None:
        return
    sock = socket.create_connection(where, timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(script, sock, began=time.perf_counter())
    sock.sendall(next(script))
    selector.register(sock, selectors.EVENT_READ, connection)


def _step(connection: Connection, result: Result) -> bool:
    """Read what came; with a whole answer, send the next request. False when the script is over."""
    try:
        data = connection.sock.recv(262144)
    except OSError:
        data = b""
    if not data:
        result.statuses[0] += 1
        return False
    connection.received += data
    answer = parse(connection.received)
    if answer is None:
        return True
    now = time.perf_counter()
    result.latencies.append(now - connection.began)
    result.statuses[answer.status] += 1
    try:
        request = connection.script.send(answer)
    except StopIteration:
        return False
    connection.received, connection.began = b"", now
    try:
        connection.sock.sendall(request)
    except OSError:
        result.statuses[0] += 1
        return False
    return True


def parse(received: bytes) -> Answer | None:
    """A whole answer, or None while it is arriving."""
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        return None
    length = LENGTH.search(head)
    if len(body) < (int(length[1]) if length else 0):
        return None
    return Answer(int(head[9:12]), body)
