"""The database goes away under somebody who uses the pages, and comes back.

They are told in plain words that the service is busy and that nothing was done; no page breaks off, nobody is signed
out, and what they typed can be sent again when the database is back.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.faults.outages import database_away
from tests.redis_processes import wait_until
from tests.server import Server, running_server
from tests.visitor import Visitor

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("pages without database")]
BUSY = "Nothing was done or lost"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("away")
    with running_server("postgres", directory, worker=False) as server:
        yield server


@pytest.fixture
def visitor(service: Server) -> Iterator[Visitor]:
    visiting = Visitor(service, new_address())
    yield visiting
    visiting.close()


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    asking = Client(service, new_address())
    yield asking
    asking.close()


def test_a_form_that_was_sent_can_be_sent_again(service: Server, client: Client, visitor: Visitor) -> None:
    person = client.create_person()
    visitor.open("/sign-in/")
    form = visitor.page.form("email", "password")
    with database_away(service):
        page = visitor.send(form, email=person.email, password=person.password)
        assert page.status == 503
        assert BUSY in page.text
        assert page.headers["Content-Type"].startswith("text/html")
        assert int(page.headers["Retry-After"]) >= 1
    wait_until(lambda: client.get("/readyz").status_code == 200)
    page = visitor.send(form, email=person.email, password=person.password)
    assert page.path == "/sign-in/code/"


def test_key_set_is_put_off_too_where_limits_go_on_in_redis(tmp_path: Path) -> None:
    environment = {"KEY_CACHE_SECONDS": "1"}
    with (
        running_server("postgres+redis", tmp_path, worker=False, environment=environment) as server,
        closing(Client(server, new_address())) as client,
        database_away(server),
    ):
        wait_until(lambda: client.get("/.well-known/jwks.json").status_code != 200, 20)
        answer = client.get("/.well-known/jwks.json")
        assert (answer.status_code, code_of(answer)) == (503, "service_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("path", ["/", "/console/events/"])
def test_nobody_is_signed_out_by_it(service: Server, client: Client, visitor: Visitor, path: str) -> None:
    person = client.create_person(role="auditor")
    visitor.prove_password(person)
    visitor.open("/sign-in/code/?with=recovery_code")
    visitor.fill(code=person.recovery_codes.pop())
    expect(client.me(person.access), 200)
    with database_away(service):
        page = visitor.open(path)
        assert page.status == 503
        assert BUSY in page.text
        assert "__Host-web" in visitor.cookies
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert visitor.open(path).path == path
    assert visitor.page.status == 200
