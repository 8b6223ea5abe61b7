"""A service, somebody signed in, and each recipe beside it."""

import contextlib
import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.evidence import claims
from tests.attacks.test_forged_tokens import forgeries
from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.recipes.kitchen import Recipe, cook
from tests.server import ROOT, Server, free_port, running_server

REQUESTS_A_MINUTE = 100
# Spelled otherwise, not forged: lenient decoders read the same signature from it.
RESPELLED = ("padding", "trailing bits")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One node that believes X-Forwarded-For of 127.0.0.1 and lets a source ask less often than usual."""
    environment = {"LIMIT_REQUESTS": f"{REQUESTS_A_MINUTE}/min"}
    with running_server("sqlite", tmp_path_factory.mktemp("recipes"), environment=environment) as running:
        yield running


@pytest.fixture
def visitor(service: Server) -> Iterator[Client]:
    client = Client(service, new_address())
    yield client
    client.close()


@pytest.fixture(scope="session")
def host(service: Server) -> Iterator[Client]:
    """The client of `person`."""
    client = Client(service, new_address())
    yield client
    client.close()


@pytest.fixture(scope="session")
def person(host: Client) -> Person:
    """Somebody who stays signed in."""
    return host.sign_up()


@pytest.fixture(scope="session")
def serve(service: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Recipe]]:
    """A recipe by name, started when it is first asked for."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str) -> Recipe:
            return stack.enter_context(cook(name, service, tmp_path_factory.mktemp(name)))

        yield start


@pytest.fixture
def serve_without(service: Server, tmp_path: Path) -> Iterator[Callable[[str], Recipe]]:
    """A recipe whose service is away."""
    port = free_port()
    node = replace(service.nodes[0], port=port)
    away = replace(
        service, environment={**service.environment, "ORIGIN": f"http://localhost:{port}"}, nodes=[node]
    )
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(cook(name, away, tmp_path))


def sign(service: Server, *wanted: tuple[dict[str, str], dict[str, Any]]) -> list[str]:
    """Tokens with these headers and claims, signed by the service's key."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes.sign"],
        cwd=ROOT,
        env=service.environment,
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tokens: list[str] = json.loads(done.stdout)
    return tokens


@pytest.fixture(scope="session")
def refused_tokens(service: Server, host: Client, person: Person) -> list[tuple[str, str]]:
    """Name and form of what opens nothing anywhere."""
    usual, genuine = {"typ": "at+jwt"}, claims(person.access)
    nameless = {name: value for name, value in genuine.items() if name != "token_type"}
    wrong: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
        "expired": (usual, {**genuine, "exp": int(time.time()) - 90}),
        "of another issuer": (usual, {**genuine, "iss": "https://elsewhere.example"}),
        "for another audience": (usual, {**genuine, "aud": "https://elsewhere.example"}),
        "typ JWT": ({"typ": "JWT"}, genuine),
        "typ refresh+jwt": ({"typ": "refresh+jwt"}, genuine),
        "token_type refresh": (usual, {**genuine, "token_type": "refresh"}),
        "no token_type": (usual, nameless),
        "no exp": (usual, {name: value for name, value in genuine.items() if name != "exp"}),
    }
    signed = zip(wrong, sign(service, *wrong.values()), strict=True)
    forged = [(name, token) for name, token in forgeries(host, person.access) if name not in RESPELLED]
    partial = expect(host.login(person), 200)["partial_token"]
    return [
        ("none", ""),
        ("garbage", "garbage"),
        ("partial", partial),
        ("refresh", person.refresh),
        *signed,
        *forged,
    ]
