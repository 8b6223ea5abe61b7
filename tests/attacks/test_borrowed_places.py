"""Guesses at one account take no places of their source from others who come from there.

Attacker: guesses at one account from a shared office. Expected: each refused guess is refused for its account's sake;
what the source may do in a minute stays for its other people, though the two limits stand in different stores.
"""

from collections.abc import Iterator

import pytest

from tests.attacks.barrage import barrage, guess, tally
from tests.attacks.evidence import events
from tests.client import Client, new_email
from tests.conftest import new_address, scaled
from tests.server import TESTED_BACKENDS, Server, running_server

GUESSES = 42
OTHERS = 6


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two nodes whose hashes take what they take, so that guesses wait for each other."""
    with running_server(request.param, tmp_path_factory.mktemp("office"), nodes=2, worker=False) as running:
        yield running


def test_refused_guesses_leave_their_source_its_places(service: Server) -> None:
    client = Client(service, new_address())
    people = [client.create_person() for _ in range(OTHERS)]
    client.close()
    for _ in range(scaled(3, 10)):
        office, target = new_address(), new_email("target")
        guesses = [guess(service, target, "not the password 4711", address=office) for _ in range(GUESSES)]
        others = [guess(service, one.email, one.password, address=office) for one in people]
        hits = barrage(service, guesses + others)
        told = tally(hits[:GUESSES])
        assert tally(hits[GUESSES:]) == {"ok": OTHERS}, told
        assert told["invalid_credentials"] <= 5
        # Who waited in vain for the others' hashes is told to come again in a second; nobody, that the source is full.
        assert not events(service, type="limit.exceeded", reason="rate_limited", ip=office), told
