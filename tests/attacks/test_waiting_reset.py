"""Somebody talks an operator into resetting another's second factor, or keeps the owner from having it reset.

Attacker: a caller who knows the victim's password, an admin's thief, the thief of the phone. Move: has the factor
reset; asks again to hurry it; cancels twice, late, by guessed or foreign tokens; signs in meanwhile. Refusal: with
RESET_MFA_DELAY_SECONDS it waits, the owner hears of it twice and cancels by one link; of a cancelling and the effect
one happens; only the mailbox and admins cancel.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.attacks.evidence import events
from tests.attacks.resets import ACT, ask, cancel, id_of, is_waiting, let_pass, newest_link, told
from tests.attacks.volley import fire
from tests.authenticator import text_of
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import scaled
from tests.redis_processes import wait_until
from tests.server import TESTED_BACKENDS, Server, running_server

NewClient = Callable[..., Client]
DELAY = {"RESET_MFA_DELAY_SECONDS": "7200"}
REASON = {"reason": "called and said so"}


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, which resets at once."""
    environment = DELAY
    directory = tmp_path_factory.mktemp("waiting")
    with running_server(request.param, directory, environment=environment) as running:
        yield running


@pytest.fixture
def admin(server: Server, new_client: NewClient) -> tuple[Client, Person]:
    client = new_client()
    return client, client.create_person(role="admin")


def act(admin: tuple[Client, Person], user: str, action: str) -> str:
    answer = admin[0].post(f"admin/users/{user}/{action}/", REASON, admin[1].access)
    return "done" if answer.is_success else code_of(answer)


def test_reset_waits_and_the_owner_is_told_twice(server: Server, client: Client) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    assert "unless cancelled" in ask(server, person)
    first = client.mailbox(person).wait_for_subject("Your second factor at")[0]
    assert "Cancel it here" in text_of(first)
    client.sign_in(person)
    assert is_waiting(server, user), "a login cancels nothing"
    let_pass(server, user, reminded=False)
    client.mailbox(person).wait_for_subject("Soon: your second factor")
    assert is_waiting(server, user), "a late second mail puts the effect off"
    expect(client.me(person.access), 200)
    let_pass(server, user)
    wait_until(lambda: not is_waiting(server, user), 30)
    assert code_of(client.me(person.access)) == "invalid_token"
    assert expect(client.login(person), 200)["next"] == "enroll"
    assert told(server, user) == [("reset_request", "by_command"), ("reset", "by_command")]


def test_second_request_shortens_nothing(
    server: Server, client: Client, admin: tuple[Client, Person]
) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    ask(server, person)
    before = server.rows("SELECT effective_at FROM secure_auth_factorreset WHERE user_id = %s", [user])
    assert act(admin, user, "reset-mfa") == "validation_failed"
    again = server.manage("reset_mfa", person.email, check=False)
    assert "a reset is waiting already" in again.stderr
    after = server.rows("SELECT effective_at FROM secure_auth_factorreset WHERE user_id = %s", [user])
    assert after == before
    assert told(server, user) == [("reset_request", "by_command"), *[("reset_request", "pending")] * 2]


def test_link_cancels_once_and_not_after_the_effect(server: Server, client: Client) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    ask(server, person)
    token = newest_link(client, person)
    for wrong in (token[:-1], token + "A", token[:37] + "A" * 43, "", user):
        assert cancel(client, wrong) != "cancelled"
    assert cancel(client, token) == "cancelled"
    assert cancel(client, token) == "invalid_link"
    client.mailbox(person).wait_for_subject("Your second factor at Secure Auth stays")
    expect(client.me(person.access), 200)
    ask(server, person)
    assert cancel(client, token) == "invalid_link", "the link of an earlier reset"
    wait_until(lambda: len(client.mailbox(person).tokens()) == 3, 30)
    token = client.mailbox(person).tokens()[-1]
    let_pass(server, user)
    wait_until(lambda: not is_waiting(server, user), 30)
    assert cancel(client, token) == "invalid_link"
    assert expect(client.login(person), 200)["next"] == "enroll"


def test_both_mails_cancel_and_either_kills_the_other(server: Server, client: Client) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    ask(server, person)
    first = newest_link(client, person)
    let_pass(server, user, reminded=False)
    wait_until(lambda: len(client.mailbox(person).tokens()) == 3, 30)
    assert cancel(client, client.mailbox(person).tokens()[-1]) == "cancelled"
    assert cancel(client, first) == "invalid_link"


def test_admin_cancels_and_nobody_else(
    server: Server, client: Client, admin: tuple[Client, Person], new_client: NewClient
) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    assert act(admin, user, "cancel-reset-mfa") == "validation_failed"
    assert act(admin, user, "reset-mfa") == "done"
    token = newest_link(client, person)
    assert act((client, person), user, "cancel-reset-mfa") == "permission_denied"
    assert act(admin, user, "cancel-reset-mfa") == "done"
    assert cancel(client, token) == "invalid_link"
    ask(server, person)
    assert "is cancelled" in server.manage("reset_mfa", person.email, "--cancel").stdout
    assert not is_waiting(server, user)
    expect(client.me(person.access), 200)


def test_disabling_cancels_and_a_disabled_admins_reset_is_void(
    server: Server, client: Client, admin: tuple[Client, Person], new_client: NewClient
) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    ask(server, person)
    assert act(admin, user, "disable") == "done"
    assert not is_waiting(server, user)
    assert act(admin, user, "enable") == "done"
    thief = new_client()
    rogue = thief.create_person(role="admin")
    assert act((thief, rogue), user, "reset-mfa") == "done"
    server.manage("disable", rogue.email)
    let_pass(server, user)
    wait_until(lambda: not is_waiting(server, user), 30)
    assert expect(client.login(person), 200)["next"] == "verify"
    assert told(server, user)[-1] == ("reset_cancel", "not_allowed")


def test_an_admins_reset_of_who_has_become_an_admin_is_void(
    server: Server, client: Client, admin: tuple[Client, Person]
) -> None:
    person = client.sign_up()
    user = id_of(client, person)
    assert act(admin, user, "reset-mfa") == "done"
    server.manage("set_role", person.email, "admin")
    let_pass(server, user)
    wait_until(lambda: not is_waiting(server, user), 30)
    assert expect(client.login(person), 200)["next"] == "verify"
    assert told(server, user)[-1] == ("reset_cancel", "other_admin")
    client.mailbox(person).wait_for_subject("Your second factor at Secure Auth stays")


def test_an_admin_who_is_none_any_more_leaves_no_reset(
    server: Server, client: Client, new_client: NewClient
) -> None:
    rogue, person = new_client(), client.sign_up()
    chief, user = rogue.create_person(role="admin"), id_of(client, person)
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    assert act((rogue, chief), user, "reset-mfa") == "done"
    server.manage("set_role", chief.email, "none")
    let_pass(server, user)
    wait_until(lambda: not is_waiting(server, user), 30)
    assert expect(client.login(person), 200)["next"] == "verify"
    assert told(server, user)[-1] == ("reset_cancel", "not_allowed")


@pytest.mark.parametrize(("fall", "rise"), [("disable", "enable"), ("set_role none", "set_role admin")])
def test_an_admin_who_is_one_again_finds_no_reset_waiting(
    server: Server, client: Client, new_client: NewClient, fall: str, rise: str
) -> None:
    desk, person = new_client(), client.sign_up()
    taken_over, user = desk.create_person(role="admin"), id_of(client, person)
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    assert act((desk, taken_over), user, "reset-mfa") == "done"
    token = newest_link(client, person)
    for step in (fall, rise):
        command, *role = step.split()
        server.manage(command, taken_over.email, *role)
    assert not is_waiting(server, user)
    assert cancel(client, token) == "invalid_link"
    assert told(server, user)[-1] == ("reset_cancel", "not_allowed")
    client.mailbox(person).wait_for_subject("Your second factor at Secure Auth stays")


def test_reset_at_once_leaves_none_waiting_that_would_take_the_next_factors(
    server: Server, client: Client
) -> None:
    """An operator has set the delay to nothing since."""
    person = client.sign_up()
    user = id_of(client, person)
    ask(server, person)
    server.manage("reset_mfa", person.email, RESET_MFA_DELAY_SECONDS="0")
    assert expect(client.login(person), 200)["next"] == "enroll"
    assert not is_waiting(server, user)


def test_of_cancel_and_effect_exactly_one_happens(server: Server, client: Client) -> None:
    """Two more workers than the service's own look for what is due without a pause."""
    person = client.sign_up()
    user = id_of(client, person)
    stop = server.data_dir / "stop"
    restless = f"""
from pathlib import Path
from secure_auth import recovery
while not Path({str(stop)!r}).exists():
    recovery.act_due()
"""
    run = partial(server.manage, "shell", "--no-imports", "-c", restless, check=False)
    workers = [threading.Thread(target=run) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for number in range(scaled(6, 40)):
            ask(server, person)
            wait_until(lambda number=number: len(client.mailbox(person).tokens()) == 2 + number, 30)  # type: ignore[misc]
            token = client.mailbox(person).tokens()[-1]
            race: list[Callable[[], object]] = [
                partial(cancel, client, token),
                partial(let_pass, server, user),
            ]
            answers = fire(race)
            wait_until(lambda: not is_waiting(server, user), 30)
            assert answers[0] in ("cancelled", "invalid_link")
            outcome = "reset_cancel" if answers[0] == "cancelled" else "reset"
            assert told(server, user)[-2][0] == "reset_request"
            assert told(server, user)[-1][0] == outcome
    finally:
        stop.touch()
        for worker in workers:
            worker.join()
    ended = [event for event in events(server, user=user) if event.type in ("mfa.reset", "mfa.reset_cancel")]
    resets = [event.details["reset"] for event in ended]
    assert len(resets) == len(set(resets)) == scaled(6, 40)


def test_act_is_quiet_when_nothing_is_due(server: Server) -> None:
    assert server.manage("shell", "--no-imports", "-c", ACT).stdout.strip() == "0"
