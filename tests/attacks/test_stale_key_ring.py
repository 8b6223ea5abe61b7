"""A flood meets a process at the moment when it has to read its keys.

Attacker: anyone with many connections; each process reads its key rings again every few seconds. Move: requests with
tokens and password steps at once, more than the process has database connections. Danger: threads that hold a
connection wait for the one that reads the keys, which waits for a connection; all fail, one after the other.
Expected: nobody is refused for it, or kept waiting.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks.barrage import barrage, guess, shot, tally
from tests.client import Client
from tests.conftest import LONG, new_address
from tests.server import running_server

REQUESTS = 240
POOL_SECONDS = 5


@pytest.mark.parametrize("backend", ["postgres", *(["postgres+redis"] * LONG)])
def test_reading_the_keys_stalls_nobody(backend: str, tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server(backend, tmp_path, environment={"DATABASE_POOL_SIZE": "3"}) as server:
        person = visit(server).sign_up()
        cold = replace(server, nodes=[server.start_node("--no-worker")])
        sources, shots = [new_address() for _ in range(20)], []
        for number in range(REQUESTS):
            address = sources[number % 20]
            if number % 2:
                shots.append(shot(cold, "me/", None, token=person.access, address=address, method="GET"))
            else:
                shots.append(guess(cold, person.email, f"wrong {number}", address=sources[0]))
        hits = barrage(cold, shots)
        assert set(tally(hits)) <= {"ok", "invalid_credentials", "temporarily_locked", "rate_limited"}
        assert tally(hits[1::2]) == {"ok": REQUESTS // 2}
        assert max(hit.seconds for hit in hits[1::2]) < 3 * POOL_SECONDS
