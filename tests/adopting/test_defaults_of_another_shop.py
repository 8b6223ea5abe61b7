"""What an adopting project sets for its own views changes nothing of the service's."""

from collections.abc import Iterator

import pytest

from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.server import Server, running_server
from tests.visitor import Visitor

pytestmark = pytest.mark.xdist_group("other-shop")


@pytest.fixture(scope="module")
def other_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.adopting.other_settings"}
    directory = tmp_path_factory.mktemp("other-shop")
    with running_server("sqlite", directory, environment=environment) as running:
        yield running


@pytest.fixture
def client(other_shop: Server) -> Iterator[Client]:
    client = Client(other_shop, new_address())
    yield client
    client.close()


def test_forms_of_the_pages_pass_djangos_check_of_forms(other_shop: Server) -> None:
    visitor = Visitor(other_shop, new_address())
    visitor.sign_up()
    assert visitor.is_signed_in
    forged = visitor.ask("POST", "/sign-out/", data={"form_token": "of another site"})
    assert (forged.status, visitor.is_signed_in) == (403, True)
    visitor.close()


def test_method_that_is_not_taken_is_told_so(client: Client) -> None:
    answer = client.http.post("/healthz")
    assert (answer.status_code, code_of(answer)) == (405, "method_not_allowed")


def test_api_answers_json_at_its_own_limits(client: Client) -> None:
    person = client.sign_up()
    assert expect(client.me(person.access), 200)["email"] == person.email


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"email": "a@example.org", "email": "b@example.org", "password": "x"}', 400),
        ("application/json", b'{"email": "a@example.org", "password": "\\ud800"}', 400),
        ("application/x-www-form-urlencoded", b"email=a%40example.org&password=x", 415),
    ],
)
def test_api_reads_as_strictly_as_ever(client: Client, kind: str, body: bytes, status: int) -> None:
    answer = client.http.post("/api/v1/login/", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_no_migration_of_the_service_is_missing(other_shop: Server) -> None:
    own = other_shop.environment["DJANGO_SETTINGS_MODULE"]
    done = other_shop.manage("makemigrations", "--check", "--dry-run", DJANGO_SETTINGS_MODULE=own)
    assert "No changes" in done.stdout
