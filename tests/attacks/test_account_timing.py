"""A stranger measures which addresses have accounts here.

Attacker: has a list of addresses and a clock. Move: logs in with each and a wrong password. Refusal: an address that
has no account, or that is none, takes the time of one that has, at the price that hashes have in production.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.client import Client, Person, new_email
from tests.server import TESTED_BACKENDS, Server, running_server

pytestmark = pytest.mark.alone  # what runs beside it has a share of every hash


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, which hashes cheaply."""
    with running_server(
        request.param, tmp_path_factory.mktemp("timing"), worker=False, hashes_cheaply=False
    ) as running:
        yield running


def test_unknown_account_takes_the_time_of_a_wrong_password(new_client: Callable[..., Client]) -> None:
    """The least of many times, alternately: what the hash takes, which nobody's luck shortens."""
    person = new_client().create_person()
    times: dict[str, list[float]] = {"known": [], "unknown": [], "malformed": []}
    for _ in range(3):
        client = new_client()
        for number in range(4):
            for kind, email in (
                ("known", person.email),
                ("unknown", new_email()),
                ("malformed", f"n{number}"),
            ):
                answer = client.login(Person(email), "wrong")
                assert answer.status_code == 401
                times[kind].append(answer.elapsed.total_seconds())
    least = {kind: min(taken) for kind, taken in times.items()}
    assert max(least.values()) < 1.5 * min(least.values()), least
