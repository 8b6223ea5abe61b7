"""A witness, or whoever stands before it, answers with lies.

Attacker: a witness that went bad. Move: signatures of another key, an endless answer, no answer, a size that never
was. Refusal: nothing of it is kept or served, and logins go on; a size that never was stops the signing, is a critical
event, and is over when the operator no longer trusts that witness.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verify.notes import COSIGNATURE, VerifierKey, parse_checkpoint, parse_note
from audit.witness.keyfile import Cosigner
from audit.witness.submission import parse_submission
from tests.client import Client, Person, code_of, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, running_server

Answering = Callable[[bytes], tuple[int, bytes]]


def cosigner(name: str) -> Cosigner:
    private = Ed25519PrivateKey.generate()
    return Cosigner(VerifierKey(name, COSIGNATURE, private.public_key().public_bytes_raw()), private)


GOOD, OTHER = cosigner("liar.test"), cosigner("liar.test")


class Liar:
    """An HTTP server that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answering = lambda body: (500, b"")
        self.asked = 0
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, said = liar.answer(body)
                liar.asked += 1
                self.send_response(status)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def hear(self, answer: Answering, times: int = 1) -> None:
        """Answer so, until it was asked so often."""
        self.answer, before = answer, self.asked
        wait_until(lambda: self.asked >= before + times, 30)


@pytest.fixture
def liar() -> Iterator[Liar]:
    liar = Liar()
    thread = threading.Thread(target=liar.http.serve_forever)
    thread.start()
    yield liar
    liar.http.shutdown()
    liar.http.server_close()
    thread.join()


def signed_by(key: Cosigner) -> Answering:
    return lambda body: (200, key.cosign(parse_submission(body).note.text, 1).encode())


def size(client: Client) -> int:
    return parse_checkpoint(parse_note(client.get("audit/log/checkpoint").text).text).size


def kept(server: Server) -> int:
    return int(server.rows("SELECT count(*) FROM audit_cosignature")[0][0])


def test_lies_of_a_witness_are_not_kept_and_stop_no_login(liar: Liar, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{liar.http.server_port}"
    environment = {"AUDIT_LOG_PUBLIC": "true", "WITNESSES": f"{GOOD.verifier} {url}"}
    with running_server("sqlite", tmp_path, environment=environment) as server:
        client = Client(server, new_address())

        def act() -> None:
            assert code_of(client.login(Person(new_email()), "a wrong passphrase")) == "invalid_credentials"

        liar.hear(signed_by(OTHER))
        liar.hear(lambda body: (200, b"x" * 1_000_000))
        liar.hear(lambda body: (409, b"no number\n"))
        assert kept(server) == 0
        before = size(client)
        act()
        wait_until(lambda: size(client) > before, 30)
        liar.answer = signed_by(GOOD)
        wait_until(lambda: kept(server), 60)

        liar.answer = lambda body: (409, b"1000000\n")
        act()
        wait_until(lambda: server.rows("SELECT why FROM audit_contradiction"), 30)
        stopped = size(client)
        act()
        assert size(client) == stopped
        server.stop()
        client.close()

        server.environment["WITNESSES"] = ""
        server.nodes.clear()
        server.start_node()
        client = Client(server, new_address())
        act()
        wait_until(lambda: size(client) > stopped, 30)
        client.close()
