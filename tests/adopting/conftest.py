"""The shop, served really, and a client of it."""

from collections.abc import Iterator

import pytest

from tests.client import Client
from tests.conftest import new_address
from tests.server import Server, running_server


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One node of the adopting project."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.adopting.settings"}
    with running_server("sqlite", tmp_path_factory.mktemp("shop"), environment=environment) as running:
        yield running


@pytest.fixture
def visitor(shop: Server) -> Iterator[Client]:
    client = Client(shop, new_address())
    yield client
    client.close()
