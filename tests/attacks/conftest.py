"""Fixtures of the attacks: four server processes, an admin of the shared service, clients of any service."""

import base64
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.attacks.insider import Insider
from tests.client import Client, Person, new_email
from tests.conftest import new_address
from tests.receiver import Receiver, running_receiver
from tests.server import TESTED_BACKENDS, Server, running_server

FRESH_SECONDS = 60  # well below REAUTHENTICATION_SECONDS


@pytest.fixture(scope="session", params=TESTED_BACKENDS)
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Four server processes: two nodes of two over shared stores; one of four on SQLite, which nodes cannot share."""
    alone = request.param == "sqlite"
    directory = tmp_path_factory.mktemp(f"fleet-{request.param.replace('+', '-')}")
    environment = {"SERVER_WORKERS": "4" if alone else "2"}
    with running_server(
        request.param, directory, nodes=1 if alone else 2, hashes_cheaply=False, environment=environment
    ) as running:
        yield running


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[Callable[[], tuple[Client, Person]]]:
    """An admin with a session that is fresh: signed in with a recovery code where it is not, or was ended."""
    person = Person("admin-of-the-attacks@example.org")
    client = Client(server, new_address())
    signed_in_at = 0.0

    def sign_in() -> tuple[Client, Person]:
        nonlocal signed_in_at
        if time.monotonic() - signed_in_at < FRESH_SECONDS and client.me(person.access).is_success:
            return client, person
        signed_in_at = time.monotonic()
        if not person.authenticator:
            server.create_user(person.email, person.password, role="admin")
            return client, client.sign_in(person)
        if len(person.recovery_codes) < 3:
            answer = client.post("mfa/recovery-codes/", None, person.access)
            person.recovery_codes = answer.json()["recovery_codes"]
        client.recover(person)
        return client, person

    yield sign_in
    client.close()


@pytest.fixture
def visit() -> Iterator[Callable[..., Client]]:
    """Makes clients of any service, each at a new address unless one is given; closed afterwards."""
    clients: list[Client] = []

    def make(server: Server, address: str = "", *, node: int = 0) -> Client:
        clients.append(Client(server, address or new_address(), node=node))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def insider(server: Server) -> Iterator[Insider]:
    client = Client(server, new_address())
    person = Person(new_email("admin"))
    server.create_user(person.email, person.password, role="admin")
    yield Insider(client, person)
    client.close()


@pytest.fixture
def no_traceback(server: Server) -> Iterator[None]:
    """Whatever a test here sends, the server's log shows no fault of ours."""
    before = len(server.written())
    yield
    written = server.logs()[before:]
    assert "Traceback" not in written
    assert "uncaptured python exception" not in written, "waitress closed a connection without an answer"


@pytest.fixture
def direct(server: Server) -> Iterator[Callable[[str], httpx.Client]]:
    """Connections from another loopback address, which the service does not trust."""
    opened: list[httpx.Client] = []

    def connect(address: str) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        opened.append(httpx.Client(base_url=server.url, transport=transport, timeout=60, trust_env=False))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@dataclass(frozen=True)
class Alarmed:
    """A service that pushes its detections to a receiver."""

    server: Server
    receiver: Receiver
    secret: str


@pytest.fixture(scope="session")
def alarmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alarmed]:
    """One node on the embedded database, with a receiver that takes everything."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    with running_receiver() as receiver:
        environment = {"WEBHOOK_URL": receiver.url("/taken"), "WEBHOOK_SECRET": secret}
        directory = tmp_path_factory.mktemp("alarmed")
        with running_server("sqlite", directory, environment=environment) as server:
            yield Alarmed(server, receiver, secret)
