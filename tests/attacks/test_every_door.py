"""Somebody who is locked out at one door tries all others.

Attacker: guessed until the password or the second step was locked, or has everything of a disabled account, a live
session too. Move: every door there is. Refusal: by the table below, at each door: a lock of the password binds what
asks for the password, from that source; a lock of the second step binds TOTP and enrolment, kills the logins under way
and stops no recovery code; disabling shuts all. The mailed reset is bound by no lock, and opens that of the password.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from tests.attacks.mails import wait_for_link
from tests.authenticator import Authenticator
from tests.client import Client, Person, code_of, expect
from tests.server import Server

NEW = "a brand new passphrase 4"
OPEN, BEGUN, ACCEPTED, DONE = "200", "201", "202", "204"
LOCKED, DEAD = "temporarily_locked", "invalid_token"


@dataclass
class Holder:
    """Everything that somebody may have got hold of before."""

    here: Client
    elsewhere: Client
    person: Person
    pending: list[str]
    begun: str
    tablet: Authenticator
    reset_token: str

    def wrong(self) -> str:
        assert self.person.authenticator
        return self.person.authenticator.wrong_code()

    def reauthenticate(self, method: str, code: str, **more: str) -> httpx.Response:
        body = {"method": method, "code": code, **more}
        return self.here.post("reauthenticate/", body, self.person.access)

    def begin_anew(self) -> httpx.Response:
        """A login from elsewhere, up to its second step, where a wrong code tells whether codes are looked at."""
        first = self.elsewhere.login(self.person)
        return (
            self.elsewhere.verify(first.json()["partial_token"], self.wrong()) if first.is_success else first
        )

    def change(self) -> httpx.Response:
        """Shows the right password and a weak new one, so that nothing changes where it is let in."""
        body = {"current_password": self.person.password, "new_password": "password"}
        return self.here.post("password/change/", body, self.person.access)

    def confirm(self) -> httpx.Response:
        return self.here.post(
            f"mfa/totp/{self.begun}/confirm/", {"code": self.tablet.code()}, self.person.access
        )

    def reset(self) -> httpx.Response:
        body = {"token": self.reset_token, "new_password": NEW}
        return self.elsewhere.post("password/reset/confirm/", body)


Door = tuple[str, Callable[[Holder], httpx.Response], str, str, str]
# what, how, and what it answers under a lock of the password here, a lock of the second step, and when disabled
DOORS: list[Door] = [
    ("login", lambda h: h.here.login(h.person), LOCKED, OPEN, "invalid_credentials"),
    ("login elsewhere", lambda h: h.begin_anew(), "invalid_code", LOCKED, "invalid_credentials"),
    (
        "reauthenticate by password",
        lambda h: h.reauthenticate("totp", h.wrong(), password=h.person.password),
        LOCKED,
        LOCKED,
        DEAD,
    ),
    ("change the password", lambda h: h.change(), LOCKED, "validation_failed", DEAD),
    ("reauthenticate by TOTP", lambda h: h.reauthenticate("totp", h.wrong()), "invalid_code", LOCKED, DEAD),
    ("verify by TOTP", lambda h: h.here.verify(h.pending[0], h.person.code()), OPEN, DEAD, DEAD),
    (
        "verify by recovery code",
        lambda h: h.here.verify(h.pending[1], h.person.recovery_codes[0], "recovery_code"),
        OPEN,
        DEAD,
        DEAD,
    ),
    ("begin an authenticator", lambda h: h.here.post("mfa/totp/", {}, h.person.access), BEGUN, LOCKED, DEAD),
    ("refresh", lambda h: h.here.refresh(h.person.refresh), OPEN, OPEN, DEAD),
    (
        "reauthenticate by recovery code",
        lambda h: h.reauthenticate("recovery_code", h.person.recovery_codes[1]),
        OPEN,
        OPEN,
        DEAD,
    ),
    (
        "ask for a reset",
        lambda h: h.elsewhere.post("password/reset/", {"email": h.person.email}),
        ACCEPTED,
        ACCEPTED,
        ACCEPTED,
    ),
    ("reset the password", lambda h: h.reset(), DONE, DONE, "invalid_link"),
]


def lock_password(holder: Holder) -> None:
    for number in range(5):
        assert code_of(holder.here.login(holder.person, f"wrong {number}")) == "invalid_credentials"


def lock_second_step(holder: Holder) -> None:
    for _ in range(10):
        assert code_of(holder.reauthenticate("totp", holder.wrong())) == "invalid_code"


def disable(holder: Holder) -> None:
    holder.here.server.manage("disable", holder.person.email)


def prepare(new_client: Callable[..., Client]) -> Holder:
    here, elsewhere = new_client(), new_client()
    person = here.sign_up()
    begun = expect(here.post("mfa/totp/", {}, person.access), 201)
    pending = [expect(elsewhere.login(person), 200)["partial_token"] for _ in range(2)]
    expect(here.post("password/reset/", {"email": person.email}), 202)
    token = wait_for_link(here, person, "reset")
    return Holder(here, elsewhere, person, pending, begun["id"], Authenticator(begun["secret"]), token)


def answer(response: httpx.Response) -> str:
    return code_of(response) if response.is_error else str(response.status_code)


@pytest.mark.parametrize(("shut", "column"), [(lock_password, 2), (lock_second_step, 3), (disable, 4)])
def test_each_door_is_bound_by_what_it_must(
    new_client: Callable[..., Client], shut: Callable[[Holder], None], column: int
) -> None:
    holder = prepare(new_client)
    shut(holder)
    seen = {door[0]: answer(door[1](holder)) for door in DOORS}
    assert seen == {door[0]: door[column] for door in DOORS}


def test_password_lock_leaves_enrolment_open(new_client: Callable[..., Client]) -> None:
    holder = prepare(new_client)
    lock_password(holder)
    expect(holder.confirm(), 200)


def test_lock_of_the_second_step_binds_an_authenticator_begun_before(
    new_client: Callable[..., Client],
) -> None:
    holder = prepare(new_client)
    lock_second_step(holder)
    assert code_of(holder.confirm()) == LOCKED


def test_disabling_kills_an_authenticator_begun_before(new_client: Callable[..., Client]) -> None:
    holder = prepare(new_client)
    disable(holder)
    assert code_of(holder.confirm()) == DEAD


def test_reset_opens_the_lock_of_the_password_only(new_client: Callable[..., Client]) -> None:
    holder = prepare(new_client)
    lock_password(holder)
    lock_second_step(holder)
    expect(holder.reset(), 204)
    partial = expect(holder.here.login(holder.person, NEW), 200)["partial_token"]
    assert code_of(holder.here.verify(partial, holder.person.code())) == LOCKED


def test_pending_login_dies_with_disabling_and_does_not_come_back(
    server: Server, new_client: Callable[..., Client]
) -> None:
    holder = prepare(new_client)
    disable(holder)
    server.manage("enable", holder.person.email)
    for partial in holder.pending:
        late = holder.here.verify(partial, holder.person.recovery_codes[0], "recovery_code")
        assert code_of(late) == DEAD
