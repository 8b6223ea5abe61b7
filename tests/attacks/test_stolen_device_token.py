"""A thief copies a device token and keeps it for later.

Attacker: read the token once. Move: uses it after its owner went on signing in. Refusal: each login that asks to be
remembered rotates the token of the same device; the one before the last is worth nothing. The one before stays good
until then, since the answer that carried its successor may have been lost.
"""

from collections.abc import Callable

from tests.client import Client, Person, code_of, expect
from tests.server import Server


def signed_in(client: Client, person: Person, token: str) -> str:
    """Both steps from a device that is remembered again; its new token."""
    partial = expect(client.login(person, headers={"X-Device-Token": token}), 200)["partial_token"]
    code = person.recovery_codes.pop()
    return str(
        expect(client.verify(partial, code, "recovery_code", remember_device=True), 200)["device_token"]
    )


def is_known(new_client: Callable[..., Client], person: Person, token: str) -> bool:
    """Whether a token opens the device's lane at a source that is locked for the account."""
    stranger = new_client()
    for _ in range(5):
        expect(stranger.login(person, "wrong"), 401)
    answer = stranger.login(person, headers={"X-Device-Token": token})
    assert answer.status_code == 200 or code_of(answer) == "temporarily_locked"
    return answer.status_code == 200


def test_token_before_the_last_is_worth_nothing(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    stolen = signed_in(owner, person, "")
    second = signed_in(owner, person, stolen)
    assert is_known(new_client, person, stolen), "the answer with the second may have been lost"
    third = signed_in(owner, person, second)
    assert len({stolen, second, third}) == 3
    assert is_known(new_client, person, third)
    assert is_known(new_client, person, second)
    assert not is_known(new_client, person, stolen)
    owner.sign_in(person)
    assert len(expect(owner.get("devices/", person.access), 200)["results"]) == 1, "one device all the time"


def test_device_of_somebody_else_is_none(new_client: Callable[..., Client]) -> None:
    owner, other = new_client(), new_client()
    person, stranger = owner.create_person(), other.create_person()
    token = signed_in(other, stranger, "")
    expect(owner.login(person, headers={"X-Device-Token": token}), 200)
    assert not is_known(new_client, person, token)


def test_device_that_is_forgotten_during_a_login_is_none_in_it(server: Server, client: Client) -> None:
    person = client.create_person()
    token = signed_in(client, person, "")
    device = token.partition(".")[0]
    login = expect(client.login(person, headers={"X-Device-Token": token}), 200)["partial_token"]
    expect(client.delete(f"devices/{device}/", person.access), 204)
    pair = expect(client.verify(login, person.recovery_codes.pop(), "recovery_code"), 200)
    lane = "SELECT device_id FROM secure_auth_session WHERE id = %s"
    assert server.rows(lane, [pair["session_id"]]) == [("",)]


def test_device_whose_time_ends_during_a_login_does_not_live_on(server: Server, client: Client) -> None:
    person = client.create_person()
    token = signed_in(client, person, "")
    device, code = token.partition(".")[0], person.recovery_codes.pop()
    login = expect(client.login(person, headers={"X-Device-Token": token}), 200)["partial_token"]
    server.rows("UPDATE secure_auth_knowndevice SET expires_at = created_at WHERE id = %s", [device])
    answer = expect(client.verify(login, code, "recovery_code", remember_device=True), 200)
    assert answer["device_token"].partition(".")[0] != device
