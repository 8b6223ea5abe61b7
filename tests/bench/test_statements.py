"""What each main use case costs in SQL statements, counted on the wire between a real server and PostgreSQL.

BEGIN and COMMIT do not count. The limiter's own are counted apart: at most one before and one after. The key rings
are read at most every KEY_CACHE_SECONDS in each process, so they are no cost of a request.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.bench.wire import Relay, is_transaction_control, relay
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.server import running_server
from tests.services import private_database, require

LIMITER = "SELECT throttling_"
RECOVERED = 1  # the mail to the owner that a recovery code was used
KEY_RINGS = 'FROM "secure_auth_key"'
pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("statements")]


@dataclass
class Cost:
    """The statements of one request, those of the limiter apart."""

    own: list[str]
    limiter: list[str]


@dataclass
class Meter:
    """A client whose requests are counted."""

    client: Client
    person: Person
    wire: Relay

    def count(self, request: Callable[[], httpx.Response], status: int = 200) -> Cost:
        """The cost of one request that is answered with this status."""
        begin = len(self.wire.statements)
        expect(request(), status)
        passed = [text for text in self.wire.statements[begin:] if not is_transaction_control(text)]
        passed = [text for text in passed if KEY_RINGS not in text]
        limiter = [text for text in passed if text.startswith(LIMITER)]
        return Cost([text for text in passed if not text.startswith(LIMITER)], limiter)


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meter]:
    require("postgres")
    directory = tmp_path_factory.mktemp("statements")
    with private_database() as url, relay(url) as wire:
        alone = {"DATABASE_URL": wire.url, "SERVER_WORKERS": "1"}
        with running_server("sqlite", directory, nodes=0, environment=alone) as server:
            server.start_node("--no-worker")
            client = Client(server, new_address())
            person = client.create_person()
            yield Meter(client, person, wire)
            client.close()


def show_all(cost: Cost) -> str:
    return "\n".join(text[:300] for text in [*cost.own, *cost.limiter])


def assert_cost(cost: Cost, own: int, limiter: int) -> None:
    assert len(cost.own) <= own, show_all(cost)
    assert len(cost.limiter) <= limiter, show_all(cost)


def test_password_step_costs_three_statements(meter: Meter) -> None:
    assert_cost(meter.count(lambda: meter.client.login(meter.person)), own=3, limiter=2)


def test_wrong_password_costs_no_more_than_a_right_one(meter: Meter) -> None:
    cost = meter.count(lambda: meter.client.login(meter.person, "not the password"), 401)
    assert_cost(cost, own=3, limiter=2)


def test_unknown_account_costs_the_statements_of_a_wrong_password(meter: Meter) -> None:
    """In number, order and shape: neither time nor load tells whether there is an account."""
    unknown = Person(new_email("nobody"))
    costs = [meter.count(partial(meter.client.login, who, "no"), 401) for who in (meter.person, unknown)]
    shapes = [[text[:30] for text in [*cost.own, *cost.limiter]] for cost in costs]
    assert shapes[0] == shapes[1]


def test_second_step_costs_six_statements(meter: Meter) -> None:
    partial = expect(meter.client.login(meter.person), 200)["partial_token"]
    code = meter.person.code()
    assert_cost(meter.count(lambda: meter.client.verify(partial, code)), own=6, limiter=2)


def test_recovery_code_costs_one_more(meter: Meter) -> None:
    partial = expect(meter.client.login(meter.person), 200)["partial_token"]
    code = meter.person.recovery_codes.pop()
    cost = meter.count(lambda: meter.client.verify(partial, code, "recovery_code"))
    assert_cost(cost, own=6 + RECOVERED, limiter=2)


def test_second_step_from_a_new_device_costs_two_more_once(meter: Meter) -> None:
    """The source that is familiar from now on, and the mail."""
    stranger = Client(meter.client.server, meter.client.address)
    stranger.http.headers["User-Agent"] = "curl/8.5.0"
    for own in (8 + RECOVERED, 6 + RECOVERED):
        partial = expect(stranger.login(meter.person), 200)["partial_token"]
        code = meter.person.recovery_codes.pop()
        assert_cost(meter.count(lambda: stranger.verify(partial, code, "recovery_code")), own, limiter=2)  # noqa: B023
    stranger.close()


def test_remembering_a_device_costs_one_more_once_and_its_logins_nothing(meter: Meter) -> None:
    partial = expect(meter.client.login(meter.person), 200)["partial_token"]
    answers: list[httpx.Response] = []

    def remember() -> httpx.Response:
        answers.append(meter.client.verify(partial, meter.person.code(), remember_device=True))
        return answers[0]

    assert_cost(meter.count(remember), own=7, limiter=2)
    device = {"X-Device-Token": answers[0].json()["device_token"]}
    cost = meter.count(lambda: meter.client.login(meter.person, headers=device))
    assert_cost(cost, own=3, limiter=2)
    partial = expect(meter.client.login(meter.person, headers=device), 200)["partial_token"]
    code = meter.person.recovery_codes.pop()
    cost = meter.count(lambda: meter.client.verify(partial, code, "recovery_code"))
    assert_cost(cost, own=6 + RECOVERED, limiter=2)


def test_remembering_a_known_device_again_costs_one_more(meter: Meter) -> None:
    partial = expect(meter.client.login(meter.person), 200)["partial_token"]
    code = meter.person.recovery_codes.pop()
    answer = expect(meter.client.verify(partial, code, "recovery_code", remember_device=True), 200)
    device = {"X-Device-Token": answer["device_token"]}
    partial = expect(meter.client.login(meter.person, headers=device), 200)["partial_token"]
    code = meter.person.recovery_codes.pop()
    cost = meter.count(lambda: meter.client.verify(partial, code, "recovery_code", remember_device=True))
    assert_cost(cost, own=7 + RECOVERED, limiter=2)


def test_refresh_costs_one_statement(meter: Meter) -> None:
    """The rotation and its event together: neither can be committed without the other."""
    cost = meter.count(lambda: meter.client.refresh(meter.person.refresh))
    assert_cost(cost, own=1, limiter=1)


def test_me_costs_one_statement(meter: Meter) -> None:
    assert_cost(meter.count(lambda: meter.client.me(meter.person.access)), own=1, limiter=1)


def test_event_and_its_personal_data_are_one_statement(meter: Meter) -> None:
    cost = meter.count(lambda: meter.client.login(meter.person))
    writes = [text for text in cost.own if "audit_event" in text or "audit_personaldata" in text]
    assert len(writes) == 1, show_all(cost)
    assert "audit_event" in writes[0]
    assert "audit_personaldata" in writes[0]
