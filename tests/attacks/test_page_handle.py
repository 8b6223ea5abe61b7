"""Attacker: has a handle of the pages, a copy from before, or a piece of one.

Moves: shows it to the API, to another session's row, after the owner proved a second factor again, twice in one
request, or after the session ended.
Refusal: the API takes none; a handle opens its own live session on pages only, and proving again replaces it.
"""

from collections.abc import Callable

import pytest

from tests.client import Client, Person
from tests.server import Server
from tests.visitor import Visitor

HANDLE = "__Host-web"


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


@pytest.fixture
def owner(visitor: Visitor, person: Person) -> Visitor:
    visitor.sign_in(person)
    return visitor


def opens(visitor: Visitor, handle: str) -> bool:
    """Whether a handle opens the pages, in a browser that has nothing else."""
    page = visitor.ask("GET", "/activity/", headers={"Cookie": f"{HANDLE}={handle}"})
    assert page.status in (200, 303), page.text
    return page.status == 200


def test_the_api_takes_no_handle(owner: Visitor, client: Client) -> None:
    handle = owner.cookies[HANDLE]
    for name in (HANDLE, "__Host-access", "__Host-partial", "__Secure-refresh"):
        for path in ("me/", "sessions/"):
            assert client.get(path, headers={"Cookie": f"{name}={handle}"}).status_code == 401
        assert client.post("token/refresh/", {}, headers={"Cookie": f"{name}={handle}"}).status_code != 200
    assert client.get("me/", handle).status_code == 401
    assert client.post("token/refresh/", {"refresh": handle}).status_code == 401


def test_a_session_of_the_pages_has_no_refresh_token(owner: Visitor, server: Server) -> None:
    session = owner.cookies[HANDLE].partition(".")[0]
    ((digest, generation),) = server.rows(
        "SELECT refresh_digest, generation FROM secure_auth_session WHERE id = %s", [session]
    )
    assert (digest, generation) == ("", 0)


def test_no_piece_of_a_handle_opens_anything(
    owner: Visitor, client: Client, person: Person, new_visitor: Callable[..., Visitor]
) -> None:
    session, _, secret = owner.cookies[HANDLE].partition(".")
    other = client.sign_in(person).session_id  # of the API: it has no handle at all
    wrong = [
        session,
        f"{session}.",
        f".{secret}",
        f"{other}.{secret}",
        f"{other}.",
        f"{session}.{secret[:-1]}",
    ]
    wrong += [f"{session}.{secret}x", f"{session.upper()}.{secret}", secret, "", "x" * 4000]
    visitor = new_visitor()
    assert [handle for handle in wrong if opens(visitor, handle)] == []
    assert opens(visitor, f"{session}.{secret}")


def test_a_cookie_that_comes_twice_counts_for_nothing(
    owner: Visitor, new_visitor: Callable[..., Visitor]
) -> None:
    handle = owner.cookies[HANDLE]
    assert not opens(new_visitor(), f"{handle}; {HANDLE}={handle}")


def test_proving_again_kills_the_copy(
    owner: Visitor, person: Person, new_visitor: Callable[..., Visitor]
) -> None:
    copy, thief = owner.cookies[HANDLE], new_visitor()
    assert opens(thief, copy)
    owner.open("/reauthenticate/?with=recovery_code")
    owner.fill(code=person.recovery_codes.pop())
    assert owner.cookies[HANDLE] != copy
    assert not opens(thief, copy)
    assert owner.is_signed_in


@pytest.mark.parametrize("way", ["sign out", "end others", "disable"])
def test_a_handle_of_a_session_that_ended_is_refused_and_recorded(
    way: str,
    owner: Visitor,
    person: Person,
    client: Client,
    new_visitor: Callable[..., Visitor],
    server: Server,
) -> None:
    handle, thief = owner.cookies[HANDLE], new_visitor()
    if way == "sign out":
        owner.open("/")
        owner.press("/sign-out/")
    elif way == "end others":
        client.sign_in(person)
        assert client.delete("sessions/", person.access).status_code == 204
    else:
        server.manage("disable", person.email)
    assert not opens(thief, handle)
    told = server.rows(
        "SELECT reason FROM audit_event WHERE type = 'token.refused' AND session = %s",
        [handle.partition(".")[0]],
    )
    assert told == [("session_ended",)]
