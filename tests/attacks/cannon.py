"""A client process that holds many requests back but for their last byte, and lets all go in one moment.

A program of its own, for threads of one process never send at once. It reads from standard input a line of JSON
([[port, request as hex], ...]), then a line when it is to fire; it writes a line when all is sent but the last bytes,
then the answers in order ([[status, body, seconds], ...]; status 0: the connection broke).
"""

import json
import selectors
import socket
import sys
import time

from tests.bench.load import parse

GIVE_UP_SECONDS = 100


def main() -> None:
    shots = [(port, bytes.fromhex(request)) for port, request in json.loads(sys.stdin.readline())]
    sockets = [load(port, request) for port, request in shots]
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for connection, (_, request) in zip(sockets, shots, strict=True):
        connection.sendall(request[-1:])
    print(json.dumps(collect(sockets, began)), flush=True)


def load(port: int, request: bytes) -> socket.socket:
    """A connection that has sent all but the last byte."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(request[:-1])
    return connection


def collect(sockets: list[socket.socket], began: float) -> list[tuple[int, str, float]]:
    """Read until every answer is whole."""
    answers: list[tuple[int, str, float]] = [(0, "", 0.0)] * len(sockets)
    received = [b""] * len(sockets)
    with selectors.DefaultSelector() as selector:
        for number, connection in enumerate(sockets):
            selector.register(connection, selectors.EVENT_READ, number)
        while selector.get_map() and time.monotonic() - began < GIVE_UP_SECONDS:
            for key, _ in selector.select(1):
                try:
                    data = sockets[key.data].recv(65536)
                except OSError:
                    data = b""
                received[key.data] += data
                answer = parse(received[key.data])
                if answer:
                    seconds = time.monotonic() - began
                    answers[key.data] = (answer.status, answer.body.decode(), seconds)
                if answer or not data:
                    selector.unregister(sockets[key.data])
                    sockets[key.data].close()
    return answers


if __name__ == "__main__":
    main()
