"""The holder of a disabled account, or of its tokens, tries every door.

Attacker: has the password, the authenticator, recovery codes, a session, a pending login, a device. Move: all of them
after the account was disabled. Refusal: each door answers as if the password were wrong or the token dead; opening the
account again brings no old token back.
"""

from collections.abc import Callable

from tests.client import Client, code_of, expect


def test_every_door_of_a_disabled_account_is_shut(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    pending = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes.pop()
    device = expect(client.verify(pending, code, "recovery_code", remember_device=True), 200)
    waiting = expect(client.login(person), 200)["partial_token"]
    client.server.manage("disable", person.email)

    stranger = new_client()
    right, wrong = stranger.login(person), stranger.login(person, "wrong")
    assert code_of(right) == code_of(wrong) == "invalid_credentials"
    known = {"X-Device-Token": device["device_token"]}
    assert code_of(new_client().login(person, headers=known)) == "invalid_credentials"

    def assert_dead() -> None:
        assert code_of(client.verify(waiting, person.recovery_codes[0], "recovery_code")) == "invalid_token"
        for access in (person.access, device["access"]):
            assert code_of(client.me(access)) == "invalid_token"
            assert code_of(client.post("token/verify/", {"token": access})) == "invalid_token"
            body = {"method": "recovery_code", "code": person.recovery_codes[0]}
            assert code_of(client.post("reauthenticate/", body, access)) == "invalid_token"
        for refresh in (person.refresh, device["refresh"]):
            assert code_of(client.refresh(refresh)) == "invalid_token"

    assert_dead()
    expect(client.post("password/reset/", {"email": person.email}), 202)
    expect(new_client().register(person), 202)
    client.server.manage("enable", person.email)
    assert_dead()
    answer = expect(client.login(person), 200)
    expect(client.verify(answer["partial_token"], person.recovery_codes[0], "recovery_code"), 200)
    assert len(client.mailbox(person).tokens()) == 1, "neither a reset nor a confirmation was mailed"
