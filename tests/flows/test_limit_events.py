"""What the log tells of a limit: which one, the kind of what it counts for, and the count; never for whom in clear."""

from collections.abc import Callable

import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, new_email
from tests.conftest import new_address_v6
from tests.problems import problem
from tests.server import Server


def details_of_refusals(server: Server, client: Client) -> dict[str, dict[str, object]]:
    refusals = [one for one in events(server, type="limit.exceeded") if one.ip == client.address]
    return {str(one.details["limit"]): one.details for one in refusals}


def test_lock_of_an_account_at_a_source(server: Server, client: Client) -> None:
    person = Person(new_email())
    for _ in range(6):
        answer = client.login(person, "a wrong password 1")
    told = details_of_refusals(server, client)["password_account_source"]
    retry = told.pop("retry_after_seconds")
    assert told == {"limit": "password_account_source", "key": "account_source", "count": 5}
    assert 890 <= int(str(retry)) <= 900
    problem(answer, "temporarily_locked")


@pytest.mark.parametrize("wide", [False, True])
def test_rate_of_a_source(server: Server, new_client: Callable[..., Client], wide: bool) -> None:
    client = new_client(new_address_v6()) if wide else new_client()
    for _ in range(6):
        client.post("register/", {"email": new_email(), "password": "short"})
        client.post("password/reset/", {"email": new_email()})
    told = details_of_refusals(server, client)["mail_source"]
    assert (told["key"], told["count"]) == ("source", 5)


def test_rate_of_a_session(server: Server, client: Client) -> None:
    person = client.sign_up()
    for _ in range(61):
        answer = client.refresh(person.refresh)
        person.refresh = answer.json().get("refresh", person.refresh)
    problem(answer, "rate_limited")
    told = details_of_refusals(server, client)["refresh"]
    assert (told["key"], told["count"]) == ("session", 60)
