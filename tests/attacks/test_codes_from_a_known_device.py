"""A thief of a known device who knows the password guesses the six digits there, for as long as it takes.

Attacker: has a device's token and the password. Move: five wrong codes each quarter of an hour, for months; or makes
the lane of this device a lock for its owner. Refusal: the twentieth wrong code without a completed login between
forgets the device, and its owner is told; what comes from it then counts for the account like anybody's. The owner's
other devices and the account itself stay open.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.evidence import claims, events
from tests.authenticator import text_of
from tests.client import Client, Person, code_of, expect
from tests.server import TESTED_BACKENDS, Server, running_server

MOST = 20
TRIES = 5  # of a pending login
pytestmark = pytest.mark.xdist_group("codes-from-a-known-device")


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service in which a thief need not wait for the next quarter of an hour."""
    directory = tmp_path_factory.mktemp("patient")
    with running_server(request.param, directory, environment={"LIMIT_TOTP_DEVICE": "1000/min"}) as running:
        yield running


def guess(client: Client, person: Person, times: int) -> list[str]:
    """Wrong codes from the person's device, in as many logins as that takes."""
    assert person.authenticator
    wrong, seen = person.authenticator.wrong_code(), []
    for number in range(times):
        if number % TRIES == 0:
            partial = expect(client.login(person), 200)["partial_token"]
        seen.append(code_of(client.verify(partial, wrong)))
    return seen


def is_known(client: Client, person: Person) -> bool:
    return bool(expect(client.get("devices/", person.access), 200)["results"])


def test_twenty_wrong_codes_in_a_row_forget_the_device(patient: Server, visit: Callable[..., Client]) -> None:
    owner, thief = visit(patient), visit(patient)
    person = owner.sign_up()
    owner.recover(person, remember_device=True)
    device = person.device_token.partition(".")[0]
    assert guess(thief, person, MOST - 1) == ["invalid_code"] * (MOST - 1)
    assert is_known(owner, person)
    assert guess(thief, person, 1) == ["invalid_code"]
    assert not is_known(owner, person)

    user = claims(person.access)["sub"]
    (forgotten,) = events(patient, type="device.forget", user=user)
    assert (forgotten.reason, forgotten.details) == ("too_many_failures", {"device": device})
    locks = [event.details["limit"] for event in events(patient, type="account.lock", user=user)]
    assert locks == ["totp_device_consecutive"]
    (told,) = owner.mailbox(person).wait_for_subject("Wrong codes from a known device")
    assert thief.address in text_of(told)
    assert "knows your" in text_of(told)

    assert guess(thief, person, 10) == ["invalid_code"] * 10  # the account's, as from anywhere
    partial = expect(thief.login(person), 200)["partial_token"]
    assert code_of(thief.verify(partial, person.code())) == "temporarily_locked"


def test_owner_elsewhere_is_not_locked_out_by_it(patient: Server, visit: Callable[..., Client]) -> None:
    owner, thief = visit(patient), visit(patient)
    person = owner.sign_up()
    owner.recover(person, remember_device=True)
    stolen, person.device_token = person.device_token, ""
    owner.recover(person, remember_device=True)
    kept, person.device_token = person.device_token, stolen
    guess(thief, person, MOST)
    person.device_token = ""
    owner.sign_in(person)
    person.device_token = kept
    assert [row["id"] for row in expect(owner.get("devices/", person.access), 200)["results"]] == [
        kept.partition(".")[0]
    ]


def test_completed_login_begins_the_count_anew(patient: Server, visit: Callable[..., Client]) -> None:
    client = visit(patient)
    person = client.sign_up()
    client.recover(person, remember_device=True)
    guess(client, person, MOST - 1)
    client.sign_in(person)
    guess(client, person, MOST - 1)
    assert is_known(client, person)


def test_wrong_codes_in_a_session_of_the_device_forget_it_too(
    patient: Server, visit: Callable[..., Client]
) -> None:
    client = visit(patient)
    person = client.sign_up()
    client.recover(person, remember_device=True)
    assert person.authenticator
    body = {"method": "totp", "code": person.authenticator.wrong_code()}
    for _ in range(MOST):
        assert code_of(client.post("reauthenticate/", body, person.access)) == "invalid_code"
    assert not is_known(client, person)
    expect(client.post("reauthenticate/", {"method": "totp", "code": person.code()}, person.access), 200)
