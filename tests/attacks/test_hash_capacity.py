"""A flood of logins takes all memory and cores with password hashes.

Attacker: many sources. Move: more logins at once than the node can hash. Refusal: 503 at once with Retry-After; what
was not hashed counts nowhere, so that a flood locks nobody.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import codes, fire, statuses
from tests.client import Client, code_of, expect
from tests.server import Server, running_server


@contextmanager
def all_places_taken(server: Server) -> Iterator[None]:
    """As if other requests were hashing: the places are locks on files."""
    with ExitStack() as stack:
        for number in range(int(server.environment["HASH_CONCURRENCY"])):
            file = stack.enter_context((server.data_dir / "hash-slots" / str(number)).open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["sqlite", "postgres+redis"])
def test_beyond_its_capacity_a_node_answers_503_and_counts_nothing(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    slow = {"HASH_CONCURRENCY": "1", "ARGON2_TIME_COST": "6"}
    with running_server(backend, tmp_path, worker=False, hashes_cheaply=False, environment=slow) as server:
        person = visit(server).create_person()
        client = visit(server)
        with all_places_taken(server):
            answers = fire([partial(client.login, person, "wrong") for _ in range(12)])
            answers += [client.login(person), visit(server).register(person)]
        assert statuses(answers) == {503: 14}
        assert codes(answers) == {"service_unavailable": 14}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
        assert events(server, type="login.password", ip=client.address) == []
        for _ in range(5):
            assert code_of(client.login(person, "wrong")) == "invalid_credentials"
        assert code_of(client.login(person)) == "temporarily_locked"

        answers = fire([partial(visit(server).login, person) for _ in range(12)])
        seen = statuses(answers)
        assert seen[200] >= 1
        assert seen[200] + seen[503] == 12
        expect(visit(server).login(person), 200)
