"""A session that was opened from a known device outlives the device; and no device is forgotten unsaid.

Attacker: nobody; five wrong passwords in such a session make the service forget the device. Danger: the session would
stay in the lane of a device that is none any more, locked for good. Expected: it falls back to the account's lane, and
the owner is told by mail, once.
"""

import pytest

from tests.attacks.evidence import events
from tests.authenticator import text_of
from tests.client import Client, code_of, expect
from tests.server import Server


def test_session_falls_back_to_the_account_when_its_device_is_forgotten(client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    wrong = {"current_password": "a wrong passphrase", "new_password": "a brand new passphrase 9"}
    for _ in range(5):
        assert code_of(client.post("password/change/", wrong, person.access)) == "invalid_credentials"
    assert expect(client.get("devices/", person.access), 200)["results"] == []
    (told,) = client.mailbox(person).wait_for_subject("Wrong passwords from a known device")
    assert client.address in text_of(told)
    right = {**wrong, "current_password": person.password}
    expect(client.post("password/change/", right, person.access), 204)


def test_session_of_a_device_that_its_owner_forgot_guesses_on_the_accounts_account(client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    assert person.authenticator
    (device,) = expect(client.get("devices/", person.access), 200)["results"]
    expect(client.delete(f"devices/{device['id']}/", person.access), 204)
    wrong = {"method": "totp", "code": person.authenticator.wrong_code()}
    codes = [code_of(client.post("reauthenticate/", wrong, person.access)) for _ in range(11)]
    assert codes == ["invalid_code"] * 10 + ["temporarily_locked"]


def test_device_that_was_too_old_is_not_said_to_be_forgotten(server: Server, client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    user = expect(client.me(person.access), 200)["id"]
    old = "UPDATE secure_auth_knowndevice SET expires_at = '2001-01-01 00:00:00+00:00' WHERE user_id = %s"
    server.rows(old, [user])
    server.manage("disable", person.email)
    assert events(server, type="device.forget", user=user) == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [("disable", "account_disabled"), ("reset_mfa", "mfa_reset"), ("", "password_reset")],
)
def test_what_forgets_all_devices_says_so_of_each(
    server: Server, client: Client, command: str, reason: str
) -> None:
    person = client.sign_up()
    for _ in range(2):
        client.sign_in(person, remember_device=True)
    user = expect(client.me(person.access), 200)["id"]
    known = {one["id"] for one in expect(client.get("devices/", person.access), 200)["results"]}
    assert known
    if command:
        server.manage(command, person.email)
    else:
        expect(client.post("password/reset/", {"email": person.email}), 202)
        token = client.mailbox(person).wait_for_token(after=1)
        body = {"token": token, "new_password": "a brand new passphrase 9"}
        expect(client.post("password/reset/confirm/", body), 204)
    told = events(server, type="device.forget", user=user)
    assert [(one.outcome, one.reason) for one in told] == [("success", reason)] * len(known)
    assert {one.details["device"] for one in told} == known
