"""Attacker: another site, or a sibling host, in the browser of somebody who is signed in to the pages.

Move: sends our forms: without a token, with one of another browser or session, from another origin, as JSON.
Refusal: 403 (415 for JSON), nothing is done, and one event says so.
"""

from collections.abc import Callable

import pytest

from tests.client import Client, Person
from tests.server import Server
from tests.visitor import Visitor

FORMS = ["/sign-out/", "/sessions/end-others/", "/recovery-codes/new/", "/language/"]
ORIGINS = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.fixture
def owner(client: Client, visitor: Visitor) -> Visitor:
    visitor.sign_in(client.create_person())
    visitor.open("/")
    return visitor


def token_of(visitor: Visitor) -> str:
    return visitor.open("/").form("form_token").values["form_token"]


def state(server: Server) -> list[tuple[object, ...]]:
    live = server.rows("SELECT id FROM secure_auth_session WHERE revoked_at IS NULL ORDER BY id")
    return live + server.rows("SELECT id FROM mfa_recoverycode ORDER BY id")


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_is_not_ours_does_nothing(
    path: str, owner: Visitor, new_visitor: Callable[..., Visitor], client: Client, server: Server
) -> None:
    stranger = new_visitor()
    stranger.open("/sign-in/")
    before_login = stranger.page.form("email").values["form_token"]
    stranger.sign_in(client.create_person())
    forged = ["", "x", "é", before_login, token_of(stranger), token_of(owner)[:-1]]
    before = state(server)
    for token in forged:
        assert owner.ask("POST", path, data={"form_token": token}).status == 403, token
    own = token_of(owner)
    for headers in ORIGINS:
        assert owner.ask("POST", path, data={"form_token": own}, headers=headers).status == 403, headers
    assert owner.ask("POST", path, json={"form_token": own}).status == 415
    assert owner.ask("POST", path, files={"form_token": (None, own)}).status == 415
    assert state(server) == before
    assert owner.is_signed_in


def test_a_form_of_an_earlier_session_of_the_same_browser_does_nothing(
    visitor: Visitor, client: Client, server: Server
) -> None:
    visitor.open("/sign-in/")
    tokens = [visitor.page.form("email").values["form_token"]]
    visitor.sign_in(client.create_person())
    tokens.append(token_of(visitor))
    visitor.send(visitor.page.form_to("/sign-out/"))
    visitor.sign_in(client.create_person())
    before = state(server)
    for token in tokens:
        assert visitor.ask("POST", "/recovery-codes/new/", data={"form_token": token}).status == 403
    assert state(server) == before
    assert token_of(visitor) not in tokens


def test_a_forged_form_is_recorded(owner: Visitor, server: Server) -> None:
    session = owner.cookies["__Host-web"].partition(".")[0]
    for _ in range(3):
        owner.ask("POST", "/sign-out/", data={"form_token": "forged"})
    told = server.rows(
        "SELECT type, reason FROM audit_event WHERE session = %s AND outcome = 'failure'", [session]
    )
    assert told == [("permission.denied", "csrf")]


def test_no_browser_is_signed_in_to_the_attackers_account(
    new_visitor: Callable[..., Visitor], client: Client
) -> None:
    person: Person = client.create_person()
    thief, victim = new_visitor(), new_visitor()
    thief.open("/sign-in/")
    token = thief.page.form("email").values["form_token"]
    victim.open("/")
    body = {"email": person.email, "password": person.password, "form_token": token}
    assert victim.ask("POST", "/sign-in/", data=body).status == 403
    assert "__Host-login" not in victim.cookies


def test_no_link_changes_anything(owner: Visitor, server: Server) -> None:
    before = state(server)
    for path in FORMS:
        assert owner.ask("GET", path).status in (200, 405)
    assert state(server) == before
