"""Each recipe of docs/recipes opens to an access token of the service and to nothing else."""

import secrets
import sys
import time
from collections.abc import Callable

import pytest

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, expect
from tests.recipes.conftest import REQUESTS_A_MINUTE, sign
from tests.recipes.kitchen import NEEDS, Recipe
from tests.server import ROOT, Server

pytestmark = pytest.mark.xdist_group("recipes")
OWNER = "WHERE id = (SELECT user_id FROM secure_auth_session WHERE id = %s)"
many_addresses = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.1 is the only loopback address"
)
Serve = Callable[[str], Recipe]
SKEW_SECONDS = 25


def refresh(client: Client, person: Person) -> None:
    person.keep(expect(client.refresh(person.refresh, key=secrets.token_urlsafe(24)), 200))


def second_session(client: Client, person: Person) -> str:
    """The access token of another login, by a recovery code: quicker than another person."""
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes.pop()
    return str(expect(client.verify(partial, code, "recovery_code"), 200)["access"])


@pytest.mark.parametrize("name", NEEDS)
def test_access_token_opens_and_nothing_else(
    name: str, serve: Serve, visitor: Client, person: Person, refused_tokens: list[tuple[str, str]]
) -> None:
    recipe = serve(name)
    user = expect(visitor.me(person.access), 200)["id"]
    answer = expect(recipe.get("/", person.access), 200)
    assert answer.get("user", user) == user
    assert len(refused_tokens) > 30
    for fault, token in refused_tokens:
        refused = recipe.get("/", token)
        assert refused.status_code == 401, (fault, refused.text)
        assert refused.headers["WWW-Authenticate"].startswith("Bearer"), fault
    expect(recipe.get("/", person.access), 200)


@pytest.mark.parametrize("name", NEEDS)
def test_ended_session_is_seen_at_once_by_who_asks_and_at_expiry_by_who_verifies(
    name: str, serve: Serve, visitor: Client, person: Person
) -> None:
    recipe, token = serve(name), second_session(visitor, person)
    expect(recipe.get("/", token), 200)
    expect(visitor.post("logout/", None, token), 204)
    assert recipe.get("/", token).status_code == (401 if name == "nginx" else 200)


@pytest.mark.parametrize("name", NEEDS)
def test_who_must_change_the_password_first_gets_no_token_that_opens(
    name: str, serve: Serve, service: Server, visitor: Client
) -> None:
    recipe, person = serve(name), visitor.create_person()
    expect(recipe.get("/", person.access), 200)
    service.manage("require_password_change", person.email)
    before = person.access
    refresh(visitor, person)
    assert recipe.get("/", person.access).status_code == 401
    assert recipe.get("/", before).status_code == (401 if name == "nginx" else 200)


@pytest.mark.parametrize("name", ["drf", "fastapi"])
def test_role_is_the_tokens(name: str, serve: Serve, service: Server, visitor: Client) -> None:
    recipe, person = serve(name), visitor.sign_up()
    assert recipe.get("/reports/", "").status_code == 401
    service.rows(f"UPDATE secure_auth_user SET role = 'auditor' {OWNER}", [person.session_id])
    assert recipe.get("/reports/", person.access).status_code == 403
    refresh(visitor, person)
    expect(recipe.get("/reports/", person.access), 200)


def test_fastapi_asks_for_step_up_and_takes_it(serve: Serve, service: Server, visitor: Client) -> None:
    recipe, person = serve("fastapi"), visitor.sign_up()
    expect(recipe.request("POST", "/transfers/", person.access), 200)
    old = "UPDATE secure_auth_session SET auth_time = '2020-01-01 00:00:00' WHERE id = %s"
    service.rows(old, [person.session_id])
    refresh(visitor, person)
    expect(recipe.get("/", person.access), 200)
    stale = recipe.request("POST", "/transfers/", person.access)
    assert stale.status_code == 401
    challenge = 'Bearer error="insufficient_user_authentication", max_age=300'
    assert stale.headers["WWW-Authenticate"] == challenge
    proof = {"method": "recovery_code", "code": person.recovery_codes[0]}
    fresh = expect(visitor.post("reauthenticate/", proof, person.access), 200)["access"]
    expect(recipe.request("POST", "/transfers/", fresh), 200)


@many_addresses
def test_nginx_tells_the_service_who_asks(serve: Serve, service: Server, visitor: Client) -> None:
    recipe, leaving = serve("nginx"), visitor.sign_up()
    expect(recipe.request("POST", "/", leaving.access), 200)
    expect(visitor.post("logout/", None, leaving.access), 204)
    lie = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    trace = secrets.token_hex(16)
    lie["traceparent"] = f"00-{trace}-{trace[:16]}-01"
    assert recipe.request("GET", "/", leaving.access, address="127.0.0.2", **lie).status_code == 401
    (refused,) = events(service, type="token.refused", session=leaving.session_id)
    assert refused.ip == "127.0.0.2"
    written = service.logs(refused.id)
    assert refused.id in written
    assert trace not in written


def test_nginx_that_is_documented_passes_no_trace_of_a_stranger_on() -> None:
    """What a trusted proxy names as a trace stands in the log lines: anybody could write into the operator's."""
    for path in ("docs/running.md", "docs/recipes/nginx/secure-auth.conf"):
        assert 'proxy_set_header traceparent "";' in (ROOT / path).read_text(), path


def test_nginx_takes_no_cookie(serve: Serve, visitor: Client, person: Person) -> None:
    cookie = {"Cookie": f"__Host-access={person.access}"}
    expect(visitor.get("me/", headers=cookie), 200)
    for method in ("GET", "POST"):
        assert serve("nginx").request(method, "/", "", **cookie).status_code == 401


@many_addresses
def test_nginx_lets_each_source_ask_as_often_as_the_limit_says(serve: Serve, person: Person) -> None:
    recipe = serve("nginx")
    for _ in range(REQUESTS_A_MINUTE):
        expect(recipe.get("/", person.access, address="127.0.0.3"), 200)
    refused = recipe.get("/", person.access, address="127.0.0.3")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 120
    expect(recipe.get("/", person.access, address="127.0.0.4"), 200)


@pytest.mark.parametrize("name", ["fastapi", "nginx"])
def test_service_that_is_away_opens_nothing(name: str, serve_without: Serve, person: Person) -> None:
    refused = serve_without(name).get("/", person.access)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"


@pytest.mark.parametrize("name", NEEDS)
def test_clock_that_is_behind_the_services_takes_its_tokens(
    name: str, serve: Serve, service: Server, person: Person
) -> None:
    ahead = int(time.time()) + SKEW_SECONDS
    genuine = {**claims(person.access), "iat": ahead, "auth_time": ahead, "exp": ahead + 300}
    (token,) = sign(service, ({"typ": "at+jwt"}, genuine))
    expect(serve(name).get("/", token), 200)
