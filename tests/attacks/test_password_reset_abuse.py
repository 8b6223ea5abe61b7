"""Somebody who reads the victim's mail, or found an old one, resets the password.

Attacker: holds a reset link. Move: uses it twice, many times at once, for another door, after another reset. Refusal:
it sets a password once; it signs nobody in, touches no second factor, ends every session, forgets devices, and kills
the other reset links. It opens the locks of the password.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.mails import wait_for_link
from tests.attacks.volley import fire, statuses
from tests.authenticator import text_of
from tests.client import Client, Person, code_of, expect
from tests.server import Server

NEW = "a brand new passphrase 3"


def ask(client: Client, person: Person) -> str:
    expect(client.post("password/reset/", {"email": person.email}), 202)
    return wait_for_link(client, person, "reset")


def reset(client: Client, token: str, password: str = NEW) -> str:
    answer = client.post("password/reset/confirm/", {"token": token, "new_password": password})
    assert answer.is_success == (not answer.content)
    return "done" if answer.is_success else code_of(answer)


def test_reset_link_works_once(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    token = ask(client, person)
    assert reset(client, token) == "done"
    assert reset(client, token, "the attacker's passphrase") == "invalid_link"
    expect(client.login(person, NEW), 200)


def test_reset_link_dies_with_a_password_change(client: Client) -> None:
    person = client.sign_up()
    token = ask(client, person)
    body = {"current_password": person.password, "new_password": NEW}
    expect(client.post("password/change/", body, person.access), 204)
    assert reset(client, token, "the attacker's passphrase") == "invalid_link"
    expect(client.login(person, NEW), 200)


def test_reset_link_used_20_times_at_once_sets_one_password(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    token = ask(client, person)
    bodies = [{"token": token, "new_password": f"passphrase number {number} of many"} for number in range(12)]
    answers = fire([partial(client.post, "password/reset/confirm/", body) for body in bodies])
    assert statuses(answers) == {204: 1, 400: 11}
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.is_success)
    expect(client.login(person, winner["new_password"]), 200)


def test_weak_password_does_not_use_up_the_link(client: Client) -> None:
    person = client.sign_up()
    token = ask(client, person)
    assert reset(client, token, "password") == "validation_failed"
    assert reset(client, token) == "done"


def test_reset_kills_the_other_links_and_altered_links_never_work(client: Client) -> None:
    person = client.sign_up()
    first = ask(client, person)
    expect(client.post("password/reset/", {"email": person.email}), 202)
    second = client.mailbox(person).wait_for_token(after=2)
    assert second != first
    row, _, digest = first.partition(".")
    for altered in (row, f"{row}.", f"{row}.{'0' * len(digest)}", f"{second.partition('.')[0]}.{digest}"):
        assert reset(client, altered) == "invalid_link"
    assert reset(client, first) == "done", "a new link never kills an older one"
    assert reset(client, second) == "invalid_link"


def test_reset_signs_nobody_in_and_leaves_the_second_factor(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    pending = expect(client.login(person), 200)["partial_token"]
    device = expect(
        client.verify(pending, person.recovery_codes[0], "recovery_code", remember_device=True), 200
    )
    waiting = expect(client.login(person), 200)["partial_token"]
    assert reset(client, ask(client, person)) == "done"
    for access in (person.access, device["access"]):
        assert code_of(client.me(access)) == "invalid_token"
    assert code_of(client.refresh(device["refresh"])) == "invalid_token"
    assert code_of(client.verify(waiting, person.recovery_codes[1], "recovery_code")) == "invalid_token"
    answer = expect(client.login(person, NEW), 200)
    assert (answer["next"], answer["methods"]) == ("verify", ["totp", "recovery_code"])
    pair = expect(client.verify(answer["partial_token"], person.code()), 200)
    assert expect(client.get("mfa/", pair["access"]), 200)["recovery_codes_left"] == 9
    assert expect(client.get("devices/", pair["access"]), 200)["results"] == []


def test_reset_opens_the_locks_of_the_password(server: Server, new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person = owner.sign_up()
    for client in (owner, attacker):
        for _ in range(5):
            client.login(person, "wrong")
        assert code_of(client.login(person)) == "temporarily_locked"
    assert reset(owner, ask(owner, person)) == "done"
    expect(owner.login(person, NEW), 200)


def test_link_asked_for_before_disabling_is_dead(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    token = ask(client, person)
    client.server.manage("disable", person.email)
    assert reset(client, token) == "invalid_link"
    client.server.manage("enable", person.email)
    assert expect(client.login(person), 200)["next"] == "verify"


def test_links_in_mail_ignore_the_host_of_the_request(server: Server, client: Client) -> None:
    person = client.sign_up()
    headers = {"X-Forwarded-Host": "evil.example", "Host": "localhost:1"}
    expect(client.post("password/reset/", {"email": person.email}, headers=headers), 202)
    wait_for_link(client, person, "reset")
    text = text_of(client.mailbox(person).messages()[-1])
    assert f"{server.origin}/reset/#token=" in text
    assert "evil.example" not in text
    assert client.post("password/reset/", {"email": person.email}, headers={"Host": "evil.example"}).is_error
