"""A range API of breached passwords, and the files that its list comes in."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DRIP_SECONDS = 30.0
FLOOD_BYTES = 8 * 1024 * 1024


def digest_of(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def write_ordered(path: Path, passwords: Sequence[str], *, others: int = 500, end: str = "\r\n") -> Path:
    """An ordered file as the downloader of Have I Been Pwned writes it."""
    digests = sorted(digest_of(each) for each in (*passwords, *(f"other-{n}" for n in range(others))))
    path.write_bytes("".join(f"{each}:{n + 1}{end}" for n, each in enumerate(digests)).encode())
    return path


@dataclass
class Ranges:
    """What is known, how it answers, and what it was asked."""

    port: int = 0
    known: set[str] = field(default_factory=set)
    mood: str = "well"
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Add-Padding
    cookies: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/range/"

    def body(self, prefix: str) -> bytes:
        """The known suffixes, one that merely pads with the suffix of each, and fillers."""
        own = [digest[5:] for digest in map(digest_of, self.known) if digest.startswith(prefix)]
        lines = [f"{suffix}:7" for suffix in own] + [f"{n:035X}:{n % 3}" for n in range(900)]
        return "\r\n".join(lines).encode()


class RangeServer(ThreadingHTTPServer):
    """The server of some ranges; `stop` ends what dawdles."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.stop = Ranges(self.server_address[1]), threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers as the mood is: well, or one of many kinds of nonsense."""

    server: RangeServer

    def do_GET(self) -> None:
        self.server.ranges.asked.append((self.path, self.headers.get("Add-Padding", "")))
        with contextlib.suppress(OSError):
            getattr(self, self.server.ranges.mood)()

    def answer(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def well(self) -> None:
        self.answer(self.server.ranges.body(self.path.rpartition("/")[2]))

    def padded(self) -> None:
        """The suffixes that are looked for, seen no times."""
        body = self.server.ranges.body(self.path.rpartition("/")[2])
        self.answer(body.replace(b":7", b":0"))

    def garbage(self) -> None:
        self.answer(b"<html>not a range</html>")

    def half(self) -> None:
        self.answer(self.server.ranges.body(self.path.rpartition("/")[2]) + b"\r\n<html>")

    def empty(self) -> None:
        self.answer(b"")

    def failing(self) -> None:
        self.answer(b"0", 500)

    def moved(self) -> None:
        self.answer(b"", 302, {"Location": self.server.ranges.url + "elsewhere"})

    def packed(self) -> None:
        self.answer(b"\x1f\x8b" + bytes(64), 200, {"Content-Encoding": "gzip"})

    def silent(self) -> None:
        self.server.stop.wait(DRIP_SECONDS)

    def cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(self.server.ranges.body("")[:1000])

    def dripping(self) -> None:
        """A header field whose end never comes: each byte renews a time-out that counts from the last one."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not self.server.stop.wait(0.2):
            self.wfile.write(b"x")

    def hinting(self) -> None:
        """Interim answers without end (RFC 9110 section 15.2)."""
        while not self.server.stop.wait(0.01):
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    def marking(self) -> None:
        """A range, and a mark that would tell who comes again."""
        self.server.ranges.cookies.append(self.headers.get("Cookie", ""))
        body = self.server.ranges.body(self.path.rpartition("/")[2])
        self.answer(body, headers={"Set-Cookie": "who=you; Path=/"})

    def flood(self) -> None:
        self.send_response(200)
        self.end_headers()
        line = b"0" * 35 + b":1\r\n"
        for _ in range(FLOOD_BYTES // len(line)):
            self.wfile.write(line)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def running_ranges() -> Iterator[Ranges]:
    """One on a free port."""
    server = RangeServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.ranges
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()


MOODS_OF_NONSENSE = (
    *(
        "garbage",
        "half",
        "empty",
        "failing",
        "moved",
        "packed",
        "silent",
        "cut",
        "dripping",
        "hinting",
        "flood",
    ),
)
