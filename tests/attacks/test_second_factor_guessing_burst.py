"""A guesser with the password, or with a session, fires hundreds of codes in one moment.

Attacker: knows the password and began one or many logins, or stole a session. Move: wrong codes, recovery codes and
passwords at once over four server processes, from many sources. Refusal: a pending login has five tries, the account's
TOTP ten, its recovery codes at reauthentication ten, the password at reauthentication five; not one more is evaluated.
"""

import base64
import secrets
from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.barrage import Hit, barrage, shot, tally
from tests.attacks.evidence import claims, events
from tests.attacks.volley import stream
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address, scaled
from tests.server import Server

BARRAGE = scaled(200, 1000)
LOGINS = scaled(20, 50)
SOURCES = 20


def wrong_codes(person: Person, method: str, count: int) -> list[str]:
    """Different codes, none of which is right now or soon."""
    if method == "recovery_code":
        return [base64.b32encode(secrets.token_bytes(15)).decode() for _ in range(count)]
    assert person.authenticator
    first = int(person.authenticator.wrong_code())
    right = {person.authenticator.code_at(person.authenticator.last_step + step) for step in range(-5, 9)}
    found = [f"{number % 10**6:06}" for number in range(first, first + count + len(right))]
    return [code for code in found if code not in right][:count]


def fire(fleet: Server, path: str, bodies: list[dict[str, str]], tokens: list[str]) -> list[Hit]:
    """Each body with the next of the tokens, from many sources so that none of them is refused for its rate."""
    addresses = [new_address() for _ in range(SOURCES)]
    return barrage(
        fleet,
        [
            shot(
                fleet,
                path,
                body,
                token=tokens[number % len(tokens)],
                address=addresses[number % len(addresses)],
            )
            for number, body in enumerate(bodies)
        ],
    )


def assert_evaluated(fleet: Server, person: Person, hits: list[Hit], kind: str, allowed: int) -> None:
    """By the answers and by the log: this many codes were looked at, the others were refused unseen."""
    seen = tally(hits)
    assert seen["invalid_code"] == allowed, seen
    assert set(seen) <= {"invalid_code", "invalid_token", "temporarily_locked", "rate_limited"}, seen
    wrong = events(fleet, type=kind, user=claims(person.access)["sub"], reason="wrong_code")
    assert len(wrong) == allowed


@pytest.mark.parametrize("method", ["totp", "recovery_code"])
def test_one_pending_login_has_five_tries(fleet: Server, visit: Callable[..., Client], method: str) -> None:
    client = visit(fleet)
    person = client.sign_up()
    pending = expect(client.login(person), 200)["partial_token"]
    bodies = [{"method": method, "code": code} for code in wrong_codes(person, method, BARRAGE)]
    hits = fire(fleet, "login/verify/", bodies, [pending])
    assert_evaluated(fleet, person, hits, "login.second_factor", 5)
    for node in (0, -1):
        late = visit(fleet, node=node).verify(pending, person.recovery_codes[0], "recovery_code")
        assert code_of(late) == "invalid_token"


@pytest.mark.parametrize(("method", "allowed"), [("totp", 10), ("recovery_code", 5 * LOGINS)])
def test_many_pending_logins_share_the_ten_tries_of_totp(
    fleet: Server, visit: Callable[..., Client], method: str, allowed: int
) -> None:
    """Recovery codes have 120 bits and only the login's own five, so that nobody closes them."""
    client = visit(fleet)
    person = client.sign_up()
    sources = [visit(fleet, node=number % len(fleet.nodes)) for number in range(4)]
    logins = stream((partial(sources[n % 4].login, person) for n in range(LOGINS)), at_once=4)
    pending = [str(expect(answer, 200)["partial_token"]) for answer in logins]
    bodies = [{"method": method, "code": code} for code in wrong_codes(person, method, BARRAGE)]
    hits = fire(fleet, "login/verify/", bodies, pending)
    assert_evaluated(fleet, person, hits, "login.second_factor", allowed)

    later = visit(fleet)
    partial_token = expect(later.login(person), 200)["partial_token"]
    if method == "totp":
        assert code_of(later.verify(partial_token, person.code())) == "temporarily_locked"
    expect(later.verify(partial_token, person.recovery_codes[0], "recovery_code"), 200)


@pytest.mark.parametrize("method", ["totp", "recovery_code"])
def test_reauthentication_has_the_accounts_ten_tries(
    fleet: Server, visit: Callable[..., Client], method: str
) -> None:
    client = visit(fleet)
    person = client.sign_up()
    bodies = [{"method": method, "code": code} for code in wrong_codes(person, method, BARRAGE)]
    hits = fire(fleet, "reauthenticate/", bodies, [person.access])
    assert_evaluated(fleet, person, hits, "session.reauthenticate", 10)
    right = person.code() if method == "totp" else person.recovery_codes[0]
    late = client.post("reauthenticate/", {"method": method, "code": right}, person.access)
    assert code_of(late) == "temporarily_locked"
    expect(client.me(person.access), 200)


def test_password_at_reauthentication_has_the_five_tries_of_login(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    """A stolen session is no second place to guess at the password, whichever door it is shown at."""
    client = visit(fleet)
    person = client.sign_up()
    address, code = new_address(), wrong_codes(person, "recovery_code", 1)[0]
    shots = []
    for number in range(BARRAGE):
        wrong = f"a wrong passphrase {number}"
        doors = [
            ("reauthenticate/", {"method": "recovery_code", "code": code, "password": wrong}, person.access),
            ("password/change/", {"current_password": wrong, "new_password": wrong + "!"}, person.access),
            ("login/", {"email": person.email, "password": wrong}, ""),
        ]
        path, body, token = doors[number % 3]
        shots.append(shot(fleet, path, body, token=token, address=address))
    seen = tally(barrage(fleet, shots))
    assert seen["invalid_credentials"] == 5
    assert set(seen) <= {"invalid_credentials", "temporarily_locked", "rate_limited"}, seen
    user = claims(person.access)["sub"]
    assert len(events(fleet, user=user, reason="wrong_password")) == 5
    assert events(fleet, user=user, reason="wrong_code") == []
    thief = visit(fleet, address)
    closed = ("temporarily_locked", "rate_limited")  # a large barrage uses up its source's requests as well
    assert code_of(thief.login(person)) in closed
    right = {"current_password": person.password, "new_password": "a brand new passphrase 5"}
    assert code_of(thief.post("password/change/", right, person.access)) in closed
    expect(client.post("password/change/", right, person.access), 204)
