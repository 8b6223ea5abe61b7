"""A receiver of webhooks: a real HTTP server whose paths take, fail, dawdle or lead elsewhere."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DAWDLE_SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """What came, and how each path answers: a status, or a function of how often it was asked before."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: dict[str, int | Callable[[int], int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        with self._lock:
            return [one for one in self.received if one.path == path]

    def wait_for(self, path: str, count: int, seconds: float = 30) -> list[Received]:
        deadline = time.monotonic() + seconds
        while len(found := self.at(path)) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(found) >= count, f"{path}: {len(found)} of {count} came"
        return found

    def take(self, one: Received) -> int:
        with self._lock:
            before = sum(other.path == one.path for other in self.received)
            self.received.append(one)
        answer = self.answers.get(one.path, 204)
        return answer(before) if callable(answer) else answer


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A receiver on a free port. `/slow` answers after longer than anybody waits, `/moved` leads to `/elsewhere`."""
    receiver, stop = Receiver(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Received(self.path, headers, body, time.time()))
            if self.path == "/slow":
                stop.wait(DAWDLE_SECONDS)
            with contextlib.suppress(OSError):
                self.send_response(307 if self.path == "/moved" else status)
                if self.path == "/moved":
                    self.send_header("Location", receiver.url("/elsewhere"))
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
