"""A session that was opened from a known device outlives the device.

Attacker: nobody; five wrong passwords in such a session make the service forget the device. Danger: the session would
stay in the lane of a device that is none any more, locked for good. Expected: it falls back to the account's lane, and
the owner is told by mail, once.
"""

from tests.authenticator import text_of
from tests.client import Client, code_of, expect


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
