"""A known device's budget is used up by guesses that no process lived to settle.

Attacker: holds a device token, guesses, and has the workers die (or they die by themselves). Danger: the fifth failure
is counted when its reservation expires, by nobody who would forget the device; its owner would stand before a lock that
nothing opens. Expected: the next login from it forgets the device and goes on as from anywhere.
"""

import json
import time
from collections.abc import Callable

import pytest

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect
from tests.server import Server

USED_UP = """
UPDATE throttling_bucket SET state = %s WHERE owner = %s AND purpose = %s RETURNING 1
"""
FAR = 4_000_000_000_000  # milliseconds: a failure that stays


def remembered(client: Client, person: Person) -> str:
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes.pop()
    body = expect(client.verify(partial, code, "recovery_code", remember_device=True), 200)
    person.keep(body)
    return str(body["device_token"])


def use_up(server: Server, device: str, purpose: str, failures: int) -> None:
    """What its bucket holds when a process died under the last of so many failures."""
    state = {
        "marks": {"-": [FAR, failures - 1]},
        "flights": {"0123456789abcdef": [int(time.time() * 1000) - 1, "-"]},
        "level": 0,
        "locked": 0,
    }
    assert server.rows(USED_UP, [json.dumps(state), f"device:{device}", purpose]) == [(1,)]


def test_device_whose_tries_are_all_under_way_stays_known(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    token = remembered(client, person)
    known = {"X-Device-Token": token}
    expect(client.login(person, "wrong", headers=known), 401)
    until = int(time.time() * 1000) + 30_000
    state = {"marks": {}, "flights": {f"{n:016x}": [until, "-"] for n in range(5)}, "level": 0, "locked": 0}
    owner = f"device:{token.partition('.')[0]}"
    assert server.rows(USED_UP, [json.dumps(state), owner, "password_device"]) == [(1,)]
    assert client.login(person, headers=known).status_code == 429
    assert len(expect(client.get("devices/", person.access), 200)["results"]) == 1


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_device_whose_budget_a_crash_used_up_is_forgotten(
    server: Server, new_client: Callable[..., Client], right: bool
) -> None:
    client = new_client()
    person = client.sign_up()
    token = remembered(client, person)
    device = token.partition(".")[0]
    known = {"X-Device-Token": token}
    expect(client.login(person, "wrong", headers=known), 401)
    use_up(server, device, "password_device", 5)
    answer = client.login(person, None if right else "wrong", headers=known)
    assert answer.status_code == (200 if right else 401)
    assert expect(client.get("devices/", person.access), 200)["results"] == []
    (forgotten,) = events(server, type="device.forget", reason="too_many_failures")[-1:]
    assert forgotten.details["device"] == device
    locks = events(server, type="account.lock", user=claims(person.access)["sub"])
    assert [lock.details["limit"] for lock in locks] == ["password_device"]
    statement = (
        "SELECT count(*) FROM secure_auth_outboxmessage WHERE template = 'device_forgotten' AND \"to\" = %s"
    )
    assert server.rows(statement, [person.email]) == [(1,)]


def test_device_whose_codes_a_crash_used_up_is_forgotten(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    known = {"X-Device-Token": remembered(client, person)}
    partial = expect(client.login(person, headers=known), 200)["partial_token"]
    expect(client.verify(partial, "000000"), 401)
    use_up(server, known["X-Device-Token"].partition(".")[0], "totp_device_consecutive", 20)
    expect(client.verify(partial, person.code()), 200)
    assert expect(client.get("devices/", person.access), 200)["results"] == []


def test_login_under_way_leaves_the_lane_of_a_device_that_is_forgotten(
    new_client: Callable[..., Client],
) -> None:
    client, stranger = new_client(), new_client()
    person = client.sign_up()
    known = {"X-Device-Token": remembered(client, person)}
    for _ in range(2):
        partial = expect(client.login(person, headers={}), 200)["partial_token"]
        assert [client.verify(partial, "000000").status_code for _ in range(5)] == [401] * 5
    stolen = expect(stranger.login(person, headers=known), 200)["partial_token"]
    device = known["X-Device-Token"].partition(".")[0]
    expect(client.delete(f"devices/{device}/", person.access), 204)
    assert code_of(stranger.verify(stolen, "000000")) == "temporarily_locked"
