"""Somebody collects accounts with a known device each, to make the node hash more than a source may.

Attacker: has many accounts, and one address. Move: right passwords from all their devices, each in the lane of its
account, so that nobody else finds a place for a hash. Refusal: the devices at a source share one rate beside those of
their accounts; beyond it they count for the source like anybody. Who has no device cannot spend it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.volley import statuses, stream
from tests.client import Client, Person, expect
from tests.server import running_server

RATES = {"LIMIT_PASSWORD_SOURCE": "5/min", "LIMIT_PASSWORD_SOURCE_WIDE": "20/min"}
UNHINDERED = 4


def with_device(client: Client) -> Person:
    person = client.create_person()
    client.recover(person, remember_device=True)
    return person


@pytest.mark.parametrize("backend", ["sqlite", "postgres+redis"])
def test_devices_at_a_source_share_a_rate(backend: str, tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server(backend, tmp_path, worker=False, environment=RATES) as server:
        people = [with_device(visit(server)) for _ in range(3)]
        crowd = visit(server)
        logins = [partial(crowd.login, people[number % 2]) for number in range(40)]
        assert statuses(stream(logins, at_once=UNHINDERED)) == {200: 20 + 5, 429: 15}
        expect(visit(server).login(people[0]), 200)

        office = visit(server)
        for _ in range(6):
            office.login(people[2], headers={})
        expect(office.login(people[2]), 200)
