"""Django for looking at the code, and one service for what only a running one can show."""

from collections.abc import Callable, Iterator

import pytest

import tests.ready  # noqa: F401
from tests.client import Client
from tests.conftest import new_address
from tests.server import Server, running_server

METRICS_TOKEN = "the-house-may-look-at-counters"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One node on the embedded database."""
    environment = {"METRICS_TOKEN": METRICS_TOKEN, "RESET_MFA_DELAY_SECONDS": "3600"}
    with running_server("sqlite", tmp_path_factory.mktemp("house"), environment=environment) as running:
        yield running


@pytest.fixture
def visitor(service: Server) -> Iterator[Callable[[], Client]]:
    """Makes clients of `service`, each at an address of its own."""
    made: list[Client] = []

    def make() -> Client:
        made.append(Client(service, new_address()))
        return made[-1]

    yield make
    for client in made:
        client.close()
