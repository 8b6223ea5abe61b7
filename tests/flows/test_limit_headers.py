"""RateLimit, RateLimit-Policy and Retry-After are true to the second."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client import Client
from tests.conftest import new_address
from tests.server import TESTED_BACKENDS, Server, running_server

ALLOWED, WINDOW_SECONDS = 3, 5
SLACK_SECONDS = 1.2  # a request on a busy machine, and whole seconds


@pytest.fixture(params=TESTED_BACKENDS)
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    limit = {"LIMIT_REQUESTS": f"{ALLOWED}/{WINDOW_SECONDS}"}
    with running_server(request.param, tmp_path, worker=False, environment=limit) as server:
        yield server


def field(answer: httpx.Response, name: str) -> int:
    """A parameter of RateLimit."""
    parameters = dict(part.strip().split("=") for part in answer.headers["RateLimit"].split(";")[1:])
    return int(parameters[name])


def test_headers_count_down_and_retry_after_opens_when_it_says(strict: Server) -> None:
    client = Client(strict, new_address())
    began = time.monotonic()
    granted = [client.get("me/") for _ in range(ALLOWED)]
    assert [answer.status_code for answer in granted] == [401] * ALLOWED
    assert [field(answer, "r") for answer in granted] == [2, 1, 0]
    assert all(field(answer, "t") == WINDOW_SECONDS for answer in granted)
    refused = client.get("me/")
    at = time.monotonic()
    assert refused.status_code == 429
    policy = refused.headers["RateLimit-Policy"]
    assert policy == f'"requests";q={ALLOWED};w={WINDOW_SECONDS}'
    assert field(refused, "r") == 0
    wait = int(refused.headers["Retry-After"])
    assert field(refused, "t") == wait
    assert WINDOW_SECONDS - (at - began) - SLACK_SECONDS <= wait <= WINDOW_SECONDS
    while time.monotonic() < began + WINDOW_SECONDS - SLACK_SECONDS:
        again = client.get("me/")
        if time.monotonic() < began + WINDOW_SECONDS:
            assert again.status_code == 429
        time.sleep(0.25)
    time.sleep(max(0.0, at + wait - time.monotonic()))
    assert client.get("me/").status_code == 401
    client.close()
