"""A thief copies a device token and keeps it for later.

Attacker: read the token once. Move: uses it after its owner went on signing in. Refusal: each login that asks to be
remembered rotates the token of the same device; the one before the last is worth nothing. The one before stays good
until then, since the answer that carried its successor may have been lost.
"""

from collections.abc import Callable

from tests.client import Client, Person, code_of, expect


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
