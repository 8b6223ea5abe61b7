"""Recipes that verify by PyJWT: who invents a `kid` while the service does not answer makes nobody else wait, and
whatever comes instead of keys is an outage to them."""

import importlib.util
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from tests.recipes.kitchen import RECIPES

TIMEOUT_SECONDS = 2
ANSWER = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "


class Falling:
    """Answers the first request with a key set, takes every later one, and says nothing."""

    def __init__(self, listener: socket.socket) -> None:
        self.asked: list[socket.socket] = []
        self.listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        key = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
        body = json.dumps({"keys": [{**key, "kid": "kept", "use": "sig", "alg": "ES256"}]})
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.asked.append(connection)
            if len(self.asked) == 1:
                connection.recv(65536)
                connection.sendall(f"{ANSWER}{len(body)}\r\n\r\n{body}".encode())
                connection.close()


@pytest.fixture
def falling() -> Iterator[Falling]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = Falling(listener)
        yield service
        for connection in service.asked:
            connection.close()


def keys_of(recipe: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"keys_of_{recipe}", RECIPES / recipe / "keys.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Keys


@pytest.mark.parametrize("recipe", ["drf", "fastapi"])
def test_invented_kids_hold_up_no_key_that_is_kept(recipe: str, falling: Falling) -> None:
    keys = keys_of(recipe)(falling.url, timeout=TIMEOUT_SECONDS, cooldown_duration=0)
    assert keys.get_signing_key("kept").key_id == "kept"
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        invented = [pool.submit(keys.get_signing_key, f"invented-{number}") for number in range(4)]
        while len(falling.asked) < 2:
            time.sleep(0.01)
        looked_up = time.monotonic()
        assert keys.get_signing_key("kept").key_id == "kept"
        assert time.monotonic() - looked_up < TIMEOUT_SECONDS / 2
        for refused in invented:
            assert isinstance(refused.exception(), jwt.PyJWKClientConnectionError)
    assert time.monotonic() - began < 2 * TIMEOUT_SECONDS
    assert len(falling.asked) == 2


@pytest.mark.parametrize("recipe", ["drf", "fastapi"])
def test_of_invented_kids_one_waits_and_holds_a_thread(recipe: str, falling: Falling) -> None:
    """A pool of threads that all wait serves nobody."""
    keys = keys_of(recipe)(falling.url, timeout=TIMEOUT_SECONDS, cooldown_duration=0)
    keys.get_signing_key("kept")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(keys.get_signing_key, "invented")
        while len(falling.asked) < 2:
            time.sleep(0.01)
        with pytest.raises(jwt.PyJWKClientConnectionError):
            keys.get_signing_key("another")
        assert not waiting.done()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(body: str) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(f"{ANSWER}{len(body)}\r\n\r\n{body}".encode())


@pytest.mark.parametrize("recipe", ["drf", "fastapi"])
@pytest.mark.parametrize(
    "answer",
    [reset, say("<html>Back soon"), say('{"keys": []}'), say("[]")],
    ids=["reset", "page", "no keys", "no set"],
)
def test_whatever_comes_instead_of_keys_is_an_outage(
    recipe: str, answer: Callable[[socket.socket], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        keys = keys_of(recipe)(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=TIMEOUT_SECONDS)
        asked = pool.submit(keys.get_signing_key, "any")
        with listener.accept()[0] as connection:
            connection.recv(65536)
            answer(connection)
        assert isinstance(asked.exception(), jwt.PyJWKClientConnectionError)
        with pytest.raises(jwt.PyJWKClientConnectionError, match="a moment ago"):
            keys.get_signing_key("another")


def test_recipes_take_their_keys_from_there() -> None:
    assert "KEYS = Keys(" in (RECIPES / "fastapi" / "main.py").read_text()
    assert "token_backend.jwks_client = Keys(" in (RECIPES / "drf" / "access.py").read_text()
