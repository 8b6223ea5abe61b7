"""Strangers keep a witness from the log that it watches.

Attacker: no key, a few connections. Move: thousands of requests in one piece on each, whose answers are not read; they
held every thread, and a line for each filled the disk. Refusal: who sends another request before the answer is cut off,
and what the witness writes does not grow with what it is asked.
"""

import contextlib
import http.client
import socket
from pathlib import Path

from audit.witness.submission import MAX_BODY_BYTES
from tests.witnesses import MemoryLog, running_witness

REQUEST = b"GET / HTTP/1.1\r\nHost: " + b"x" * 38 + b"\r\n\r\n"  # a part of what is read at once
IN_ONE_PIECE = 4000


def test_requests_in_one_piece_are_cut_off_and_fill_no_disk(tmp_path: Path) -> None:
    log = MemoryLog().grow(9)
    with running_witness(tmp_path / "state", log.verifier_key) as witness, contextlib.ExitStack() as stack:
        hogs = [stack.enter_context(socket.socket()) for _ in range(20)]
        for hog in hogs:
            hog.settimeout(10)
            hog.connect(("127.0.0.1", witness.port))
            with contextlib.suppress(OSError):
                hog.sendall(REQUEST * IN_ONE_PIECE)
        assert witness.add(log.submission(0)).status_code == 200
        for hog in hogs:
            taken = b""
            with contextlib.suppress(ConnectionError):
                while part := hog.recv(1 << 20):
                    taken += part
            assert taken.count(b"HTTP/1.1 200 OK") < 10
        written = (tmp_path / "state.log").read_text()
        assert written.count("\n") < 5, written[-300:]


def test_requests_one_after_another_share_a_connection(tmp_path: Path) -> None:
    log = MemoryLog().grow(9)
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        wire = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=10)
        with contextlib.closing(wire):
            wire.connect()
            opened = wire.sock
            for _ in range(5):
                wire.request("GET", "/")
                assert wire.getresponse().read().startswith(b"{")
            assert wire.sock is opened


def test_body_behind_a_refused_head_is_no_second_request(tmp_path: Path) -> None:
    """The refusal is sent: a log whose request is too large is to learn why."""
    log = MemoryLog().grow(9)
    head = f"POST /add-checkpoint HTTP/1.1\r\nHost: witness\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    with running_witness(tmp_path / "state", log.verifier_key) as witness, socket.socket() as wire:
        wire.settimeout(10)
        wire.connect(("127.0.0.1", witness.port))
        wire.sendall(head.encode() + b"x" * 8192)  # read at once, as what might follow a whole request
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")
