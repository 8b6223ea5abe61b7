"""A flood of logins keeps newcomers out for longer than it lasts.

Attacker: keeps every place for hashes busy. Move: waits until newcomers have tried three times. Refusal: a registration
that was answered 503 mailed nothing, so it counts against nobody's mail: the next one goes through.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, Person, code_of, expect, new_email
from tests.server import TESTED_BACKENDS, running_server

ATTEMPTS = 6  # more than an address and a source may have mailed in an hour


@pytest.mark.parametrize("backend", TESTED_BACKENDS)
def test_registration_refused_for_want_of_capacity_costs_no_mail(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    with running_server(backend, tmp_path, environment={"HASH_CONCURRENCY": "1"}) as server:
        client, person = visit(server), Person(new_email())
        with (server.data_dir / "hash-slots" / "0").open("w") as place:
            fcntl.flock(place, fcntl.LOCK_EX)
            answers = [client.register(person) for _ in range(ATTEMPTS)]
        assert {code_of(answer) for answer in answers} == {"service_unavailable"}
        expect(client.register(person), 202)
        token = client.mailbox(person).wait_for_token()
        expect(client.confirm(token, person.password), 200)
