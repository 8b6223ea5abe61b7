"""An account is disabled or its second factor reset while somebody completes a login.

Attacker: knows password and recovery codes of an account that is just being shut. Move: both steps, timed into the
admin's action. Refusal: afterwards no session lives, no token works, and no pending login can be completed.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.races import Runner, assert_nothing_is_left, race
from tests.client import Client, Person, expect
from tests.conftest import scaled
from tests.server import Server

Admin = Callable[[], tuple[Client, Person]]


def user_id(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def test_verify_races_disable(server: Server, new_client: Callable[..., Client], admin: Admin) -> None:
    desk, boss = admin()
    for number in range(scaled(3, 30)):
        if number % 2 == 0:
            owner = new_client()
            person = owner.sign_up()
            account = user_id(owner, person)
        codes = person.recovery_codes[4 * (number % 2) :]
        runners = [Runner(new_client(), code) for code in codes[:4]]
        path = f"admin/users/{account}"
        race(person, runners, partial(desk.post, f"{path}/disable/", {"reason": "left"}, boss.access))
        assert_nothing_is_left(server, person, runners, kept=set())
        expect(desk.post(f"{path}/enable/", {"reason": "came back"}, boss.access), 204)
        assert_nothing_is_left(server, person, runners, kept=set())


def test_verify_races_reset_of_the_second_factor(
    server: Server, new_client: Callable[..., Client], admin: Admin
) -> None:
    desk, boss = admin()
    for _ in range(scaled(2, 20)):
        owner = new_client()
        person = owner.sign_up()
        path = f"admin/users/{user_id(owner, person)}/reset-mfa/"
        runners = [Runner(new_client(), code) for code in person.recovery_codes[:4]]
        race(person, runners, partial(desk.post, path, {"reason": "lost phone"}, boss.access))
        assert_nothing_is_left(server, person, runners, kept=set())
