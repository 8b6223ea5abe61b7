"""A receiver of webhooks that answers byte by byte holds up no other.

Attacker: whoever runs one receiver, or sits in its place, and sends a byte of its head each second: never slow enough
for a time-out of one read. Expected: the attempt ends in time, and all other receivers are told.
"""

import base64
import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.client import Client, expect
from tests.conftest import new_address, scaled
from tests.receiver import running_receiver
from tests.server import running_server


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """The URL of such a receiver."""
    stop = threading.Event()

    def drip(wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            wire.recv(65536)
            wire.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not stop.wait(1):
                wire.sendall(b"y")

    def serve() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            stop.set()
            thread.join()


def test_others_are_told_beside_a_receiver_that_drips(tmp_path: Path) -> None:
    with dripping() as slow, running_receiver() as receiver:
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        environment = {"WEBHOOK_URL": f"{slow} {receiver.url('/taken')}", "WEBHOOK_SECRET": secret}
        with running_server("sqlite", tmp_path, environment=environment) as server:
            client = Client(server, new_address())
            for told in range(1, scaled(2, 4)):  # the one that drips is named first, and asked first
                person = client.create_person()
                stolen = person.refresh
                expect(client.refresh(stolen), 200)
                client.refresh(stolen)
                receiver.wait_for("/taken", told, 60)
            client.close()
