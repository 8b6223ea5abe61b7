"""Cookie tossing: a sibling of this host, or a network in between, sets cookies of our names.

Attacker: controls another host of the same site and has an account here. Move: the own tokens under our cookies' names,
beside the victim's or in place of them, so that the victim acts in the attacker's session. Expected: browsers refuse
`__Host-` names from there; what they do let through (`__Secure-refresh` with a domain) opens nothing without the CSRF
token of its own session, and two cookies of one name are none.
"""

from typing import Any

import pytest

from tests.client import Client, Person, code_of, expect

DELIVERY = {"X-Token-Delivery": "cookie"}


def cookies_of(client: Client, person: Person) -> dict[str, str]:
    """What a browser holds after a login."""
    own = {**DELIVERY, "Origin": client.server.origin}
    login = client.post("login/", {"email": person.email, "password": person.password}, headers=own)
    held = dict(login.cookies)
    shown: dict[str, Any] = {"method": "totp", "code": person.code()}
    own |= {"X-CSRF-Token": held["__Host-csrf"], "Cookie": as_field(held)}
    done = client.post("login/verify/", shown, headers=own)
    expect(done, 200)
    client.http.cookies.clear()
    return {name: value for name, value in (held | dict(done.cookies)).items() if name != "__Host-partial"}


def as_field(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


@pytest.fixture
def victim(client: Client) -> dict[str, str]:
    return cookies_of(client, client.create_person())


@pytest.fixture
def attacker(client: Client) -> dict[str, str]:
    return cookies_of(client, client.create_person())


def refresh(client: Client, cookies: str, csrf: str) -> Any:
    headers = {**DELIVERY, "Origin": client.server.origin, "X-CSRF-Token": csrf, "Cookie": cookies}
    return client.post("token/refresh/", {}, headers=headers)


def test_tossed_refresh_cookie_puts_nobody_into_another_session(
    client: Client, victim: dict[str, str], attacker: dict[str, str]
) -> None:
    tossed = as_field(victim | {"__Secure-refresh": attacker["__Secure-refresh"]})
    assert code_of(refresh(client, tossed, victim["__Host-csrf"])) == "csrf_failed"
    expect(refresh(client, as_field(victim), victim["__Host-csrf"]), 200)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_doubled_cookie_is_none(
    client: Client, victim: dict[str, str], attacker: dict[str, str], first: bool
) -> None:
    own, foreign = as_field(victim), f"__Secure-refresh={attacker['__Secure-refresh']}"
    both = f"{foreign}; {own}" if first else f"{own}; {foreign}"
    assert code_of(refresh(client, both, victim["__Host-csrf"])) in (
        "invalid_token",
        "validation_failed",
        "csrf_failed",
    )
    expect(refresh(client, own, victim["__Host-csrf"]), 200)


def test_tossed_csrf_token_is_bound_to_its_own_session(
    client: Client, victim: dict[str, str], attacker: dict[str, str]
) -> None:
    """A double submit alone would take it: cookie and header agree."""
    tossed = as_field(victim | {"__Host-csrf": attacker["__Host-csrf"]})
    headers = {"Origin": client.server.origin, "X-CSRF-Token": attacker["__Host-csrf"], "Cookie": tossed}
    assert code_of(client.post("logout/", None, headers=headers)) == "csrf_failed"
    assert code_of(refresh(client, tossed, attacker["__Host-csrf"])) == "csrf_failed"


def test_one_request_shows_two_csrf_tokens_and_no_more(client: Client, victim: dict[str, str]) -> None:
    """A session's and a login's: who may show as many as a header holds has as many guesses a request."""
    own = as_field(victim)
    wrong = "A" * len(victim["__Host-csrf"])
    for before in (2, 3, 40):
        shown = ".".join([*[wrong] * before, victim["__Host-csrf"]])
        assert code_of(refresh(client, own, shown)) == "csrf_failed"
    expect(refresh(client, own, f"{wrong}.{victim['__Host-csrf']}"), 200)
