"""Several nodes over one PostgreSQL and one Redis are one service."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.client import PASSWORD, Client, expect
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("postgres+redis")
Both = Callable[[], tuple[Client, Client]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("postgres+redis", tmp_path_factory.mktemp("pair"), nodes=2) as server:
        yield server


@pytest.fixture
def both(pair: Server) -> Iterator[Both]:
    """Two clients at one address, one at each node."""
    with ExitStack() as stack:

        def make() -> tuple[Client, Client]:
            address = new_address()
            clients = Client(pair, address, node=0), Client(pair, address, node=1)
            for client in clients:
                stack.callback(client.close)
            return clients

        yield make


def test_journey_crosses_nodes_at_every_step(both: Both) -> None:
    one, two = both()
    person = one.sign_up()
    partial = expect(two.login(person), 200)["partial_token"]
    person.keep(expect(one.verify(partial, person.code(), remember_device=True), 200))
    expect(two.me(person.access), 200)
    person.keep(expect(two.refresh(person.refresh), 200))
    expect(one.me(person.access), 200)
    assert expect(one.get("mfa/", person.access), 200) == expect(two.get("mfa/", person.access), 200)
    assert expect(one.get("/.well-known/jwks.json"), 200) == expect(two.get("/.well-known/jwks.json"), 200)
    expect(one.post("logout/", token=person.access), 204)
    problem(two.me(person.access), "invalid_token")


def test_code_used_at_one_node_is_used_at_the_other(both: Both) -> None:
    one, two = both()
    person = one.sign_up()
    partials = [expect(client.login(person), 200)["partial_token"] for client in (one, two)]
    code = person.code()
    expect(one.verify(partials[0], code), 200)
    problem(two.verify(partials[1], code), "invalid_code")


def test_refresh_token_reused_at_the_other_node_ends_the_session(both: Both) -> None:
    one, two = both()
    person = one.sign_up()
    new = expect(one.refresh(person.refresh), 200)
    problem(two.refresh(person.refresh), "invalid_token")
    problem(one.me(new["access"]), "invalid_token")


def test_guesses_are_counted_over_both_nodes(both: Both) -> None:
    one, two = both()
    person = one.sign_up()
    for turn in range(5):
        problem((one, two)[turn % 2].login(person, "wrong-" + PASSWORD), "invalid_credentials")
    for client in (one, two):
        problem(client.login(person), "temporarily_locked")


def test_nodes_that_start_together_make_the_rings_once(tmp_path: Path) -> None:
    with running_server("postgres", tmp_path, nodes=0) as server:
        with ThreadPoolExecutor(4) as pool:
            started = list(pool.map(lambda _: server.manage("create_user", "x", check=False), range(4)))
        assert all("not an e-mail address" in done.stderr for done in started), [
            done.stderr for done in started
        ]
        keys = server.rows("SELECT purpose, state, count(*) FROM secure_auth_key GROUP BY purpose, state")
        assert len(keys) == 8
        assert {count for _, _, count in keys} == {1}
        assert server.rows("SELECT count(*) FROM audit_event WHERE type = 'key.create'") == [(8,)]
