"""A flood meets a process at the moment when it has to read its keys.

Attacker: anyone with many connections; each process reads its key rings again every few seconds. Move: hundreds of
requests at once, of which some hold a database connection when they come to the keys and some do not. Danger: those
that hold one wait for the one that reads the keys, which waits for a connection; all fail, one after the other.
Expected: nobody is refused for it, or kept waiting.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks.barrage import barrage, shot, tally
from tests.client import Client
from tests.conftest import new_address
from tests.server import LONG, running_server

REQUESTS = 240
POOL_SECONDS = 5


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["postgres", *(["postgres+redis"] * LONG)])
def test_reading_the_keys_stalls_nobody(backend: str, tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server(backend, tmp_path, worker=False, environment={"DATABASE_POOL_SIZE": "3"}) as server:
        person = visit(server).create_person()
        cold = replace(server, nodes=[server.start_node("--no-worker")])
        sources, shots = [new_address() for _ in range(20)], []
        for number in range(REQUESTS):
            method, path = ("GET", "me/") if number % 8 else ("POST", "login/verify/")
            address = sources[number % len(sources)]
            shots.append(shot(cold, path, None, token=person.access, address=address, method=method))
        hits = barrage(cold, shots)
        assert tally(hits) == {"ok": REQUESTS // 8 * 7, "invalid_token": REQUESTS // 8}
        assert max(hit.seconds for hit in hits) < 3 * POOL_SECONDS
