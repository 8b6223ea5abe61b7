"""What an unlock opens, by command and by an admin, and who learns of it."""

from collections.abc import Callable

import pytest

from tests.attacks.mails import wait_for_link
from tests.client import Client, Person, code_of, expect
from tests.server import Server

SUBJECT = "was unlocked"


def lock_both_steps(client: Client, person: Person) -> None:
    assert person.authenticator
    wrong = {"method": "totp", "code": person.authenticator.wrong_code()}
    for number in range(5):
        assert code_of(client.login(person, f"wrong {number}")) == "invalid_credentials"
    for _ in range(10):
        assert code_of(client.post("reauthenticate/", wrong, person.access)) == "invalid_code"
    assert code_of(client.login(person)) == "temporarily_locked"
    assert code_of(client.post("reauthenticate/", wrong, person.access)) == "temporarily_locked"


@pytest.mark.parametrize("door", ["command", "admin"])
def test_unlock_opens_both_steps_is_recorded_and_mailed_once(
    server: Server, new_client: Callable[..., Client], door: str
) -> None:
    desk, client = new_client(), new_client()
    boss = desk.create_person(role="admin")
    person = client.sign_up()
    user = expect(client.me(person.access), 200)["id"]
    lock_both_steps(client, person)
    why = f"called us from {person.email}"
    if door == "command":
        server.manage("unlock", person.email, "--reason", why)
    else:
        expect(desk.post(f"admin/users/{user}/unlock/", {"reason": why}, boss.access), 204)

    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.verify(partial, person.code()), 200)
    (event,) = expect(desk.get(f"audit/events/?type=account.unlock&user={user}", boss.access), 200)["results"]
    assert (event["outcome"], event["reason"]) == ("success", f"by_{door}")
    assert why in str(event["details"])
    boss_id = expect(desk.me(boss.access), 200)["id"]
    assert event["details"].get("actor") == (boss_id if door == "admin" else None)

    expect(client.post("password/reset/", {"email": person.email}), 202)
    wait_for_link(client, person, "reset")  # mailed after whatever the unlock mailed
    subjects = [str(message["Subject"]) for message in client.mailbox(person).messages()]
    assert len([subject for subject in subjects if SUBJECT in subject]) == 1


def lock_codes_on_a_known_device(client: Client, person: Person) -> None:
    """A device that is remembered, in a session of its own, takes no TOTP code any more."""
    client.recover(person, remember_device=True)
    assert person.authenticator
    partial = expect(client.login(person), 200)["partial_token"]
    wrong = person.authenticator.wrong_code()
    assert [code_of(client.verify(partial, wrong)) for _ in range(5)] == ["invalid_code"] * 5
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial, person.code())) == "temporarily_locked"


@pytest.mark.parametrize("key", ["command", "admin", "login", "reauthentication"])
def test_a_known_device_takes_codes_again(
    server: Server, new_client: Callable[..., Client], key: str
) -> None:
    """After an unlock, and after a recovery code on that device: the way in that a lock leaves open."""
    desk, client = new_client(), new_client()
    person = client.sign_up()
    lock_codes_on_a_known_device(client, person)
    if key == "command":
        server.manage("unlock", person.email)
    elif key == "admin":
        boss = desk.create_person(role="admin")
        user = expect(client.me(person.access), 200)["id"]
        expect(desk.post(f"admin/users/{user}/unlock/", {"reason": "called us"}, boss.access), 204)
    elif key == "login":
        client.recover(person)
    else:
        body = {"method": "recovery_code", "code": person.recovery_codes.pop()}
        expect(client.post("reauthenticate/", body, person.access), 200)
    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.verify(partial, person.code()), 200)


def test_unlock_gives_a_known_device_its_five_passwords_back(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    client.recover(person, remember_device=True)
    for _ in range(2):
        assert [code_of(client.login(person, "wrong")) for _ in range(4)] == ["invalid_credentials"] * 4
        server.manage("unlock", person.email)
    assert len(expect(client.get("devices/", person.access), 200)["results"]) == 1
