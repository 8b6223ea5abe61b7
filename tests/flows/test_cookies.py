"""Cookie delivery: a browser signs in, asks, refreshes and leaves without any script seeing a token."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from tests.attacks.evidence import events
from tests.authenticator import Authenticator
from tests.client import Client, Person, code_of, expect
from tests.server import Server

DELIVERY = {"X-Token-Delivery": "cookie"}
TOKENS = {"access", "refresh", "partial_token", "device_token"}


class Browser:
    """Keeps cookies by name, sends each where its path says, and tells the flags that they came with."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jar: dict[str, Morsel[str]] = {}

    @property
    def csrf(self) -> str:
        return self.jar["__Host-csrf"].value

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        url = f"/api/v1/{path}"
        sent = [f"{name}={one.value}" for name, one in self.jar.items() if url.startswith(one["path"])]
        every = {
            "Cookie": "; ".join(sent),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        response = self.client.request(
            method, path, headers=every, **({"json": body} if body is not None else {})
        )
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jar[name] = morsel
                if morsel["max-age"] == "0":
                    del self.jar[name]
        return response

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """As a page of this service does it."""
        own = {"Origin": self.client.server.origin, **DELIVERY}
        if "__Host-csrf" in self.jar:
            own["X-CSRF-Token"] = self.csrf
        return self.send("POST", path, body, **own | headers)

    def sign_in(self, person: Person, **verify: Any) -> Any:
        login = expect(self.post("login/", {"email": person.email, "password": person.password}), 200)
        assert not TOKENS & set(login)
        shown = {"method": "totp", "code": person.code(), **verify}
        answer = expect(self.post("login/verify/", shown), 200)
        assert not TOKENS & set(answer)
        return answer


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client)


def test_names_flags_and_paths_are_those_of_the_contract(browser: Browser, person: Person) -> None:
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    assert set(browser.jar) == {"__Host-partial", "__Host-csrf"}
    answer = expect(
        browser.post("login/verify/", {"method": "totp", "code": person.code(), "remember_device": True}), 200
    )
    assert answer["token_type"] == "Bearer"
    assert set(browser.jar) == {"__Host-access", "__Secure-refresh", "__Host-device", "__Host-csrf"}
    for name, cookie in browser.jar.items():
        assert cookie["secure"], name
        assert cookie["samesite"] == "Strict"
        assert not cookie["domain"]
        assert cookie["path"] == ("/api/v1/token/" if name == "__Secure-refresh" else "/")
        assert bool(cookie["httponly"]) == (name != "__Host-csrf")
    assert browser.jar["__Host-device"]["max-age"] == str(90 * 86400)
    assert browser.jar["__Host-access"]["max-age"] == str(answer["expires_in"])
    assert browser.jar["__Secure-refresh"]["max-age"] == str(answer["refresh_expires_in"])


def test_first_login_enrols_by_cookie(browser: Browser, client: Client, server: Server) -> None:
    person = Person(f"cookie-{client.address}@example.org")
    server.create_user(person.email, person.password)
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    begun = expect(browser.post("mfa/totp/", {}), 201)
    person.authenticator = Authenticator(begun["secret"])
    bound = expect(browser.post(f"mfa/totp/{begun['id']}/confirm/", {"code": person.code()}), 200)
    assert len(bound["recovery_codes"]) == 10
    assert not TOKENS & set(bound)
    assert expect(browser.send("GET", "me/"), 200)["email"] == person.email


def test_session_works_refreshes_and_ends(browser: Browser, person: Person) -> None:
    browser.sign_in(person)
    assert expect(browser.send("GET", "me/"), 200)["email"] == person.email
    before = browser.jar["__Secure-refresh"].value
    expect(browser.post("token/refresh/", {}, Idempotency_Key="k" * 22), 200)
    assert browser.jar["__Secure-refresh"].value != before
    fresh = expect(browser.post("reauthenticate/", {"method": "totp", "code": person.code()}), 200)
    assert "access" not in fresh
    expect(browser.post("mfa/recovery-codes/", {}), 200)
    access = browser.jar["__Host-access"].value
    expect(browser.post("logout/"), 204)
    assert browser.jar == {}
    assert code_of(browser.client.me(access)) == "invalid_token"


def test_unsafe_requests_need_the_sessions_own_csrf_token(
    browser: Browser, person: Person, client: Client, server: Server
) -> None:
    browser.sign_in(person)
    other = Browser(client)
    other.sign_in(client.create_person())
    for headers in ({}, {"X_CSRF_Token": "x"}, {"X_CSRF_Token": other.csrf}, {"X_CSRF_Token": "."}):
        for method, path in (("POST", "logout/"), ("DELETE", "sessions/"), ("POST", "token/refresh/")):
            body: Any = {} if path == "token/refresh/" else None
            assert code_of(browser.send(method, path, body, **headers)) == "csrf_failed"
    session = events(server, type="session.open", user=expect(browser.send("GET", "me/"), 200)["id"])[-1]
    denied = events(server, type="permission.denied", session=session.session)
    assert {one.reason for one in denied} == {"csrf"}
    expect(browser.post("logout/"), 204)


def test_second_step_needs_the_logins_own_csrf_token(browser: Browser, person: Person) -> None:
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    shown = {"method": "totp", "code": person.code()}
    assert code_of(browser.send("POST", "login/verify/", shown, **DELIVERY)) == "csrf_failed"
    expect(browser.post("login/verify/", shown), 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_other_origins_are_refused_with_the_right_token_too(
    browser: Browser, person: Person, headers: dict[str, str]
) -> None:
    browser.sign_in(person)
    foreign = {name.replace("-", "_"): value for name, value in headers.items()}
    assert code_of(browser.post("logout/", **foreign)) == "csrf_failed"
    credentials = {"email": person.email, "password": person.password}
    assert code_of(browser.post("login/", credentials, **foreign)) == "csrf_failed"
    expect(browser.send("GET", "me/"), 200)


def test_authorization_alone_counts_beside_cookies(browser: Browser, person: Person, client: Client) -> None:
    browser.sign_in(person)
    someone = client.create_person()
    mine = expect(browser.send("GET", "me/", Authorization=f"Bearer {someone.access}"), 200)
    assert mine["email"] == someone.email
    for header in ("Bearer nonsense", "Basic abc", "Bearer"):
        assert code_of(browser.send("GET", "me/", Authorization=header)) == "invalid_token"
    expect(browser.send("POST", "logout/", Authorization=f"Bearer {someone.access}"), 204)
    expect(browser.send("GET", "me/"), 200)
    refused = browser.send("POST", "token/refresh/", {}, Authorization="Bearer x", X_CSRF_Token=browser.csrf)
    assert code_of(refused) == "validation_failed"


def test_cookies_open_only_their_own_doors(browser: Browser, person: Person) -> None:
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    assert code_of(browser.send("GET", "me/")) == "invalid_token"
    partial = browser.jar["__Host-partial"]
    browser.sign_in(person)
    browser.jar["__Host-access"].set("__Host-access", partial.value, partial.value)
    assert code_of(browser.send("GET", "me/")) == "invalid_token"


def test_login_that_is_given_up_leaves_the_open_session_its_token(browser: Browser, person: Person) -> None:
    browser.sign_in(person)
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    expect(browser.post("token/refresh/", {}), 200)
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    expect(browser.post("logout/"), 204)


def test_known_device_signs_in_by_its_cookie_where_the_account_is_locked(
    browser: Browser, person: Person, client: Client
) -> None:
    browser.sign_in(person, remember_device=True)
    for _ in range(5):
        assert code_of(client.login(person, "a wrong phrase")) == "invalid_credentials"
    assert code_of(client.login(person)) == "temporarily_locked"
    browser.sign_in(person)


def test_no_script_turns_cookies_into_tokens(browser: Browser, person: Person) -> None:
    """With the right CSRF token and without the header that asks for cookies."""
    browser.sign_in(person)
    own = {"X_CSRF_Token": browser.csrf, "X_Token_Delivery": "body"}
    refreshed = expect(browser.send("POST", "token/refresh/", {}, **own), 200)
    shown = {"method": "totp", "code": person.code()}
    fresh = expect(browser.send("POST", "reauthenticate/", shown, **own), 200)
    assert not TOKENS & {*refreshed, *fresh}
    expect(browser.post("logout/"), 204)


@pytest.mark.parametrize("blank", ["\u2000", "\u00a0", "\u0085"], ids=ascii)
def test_cookie_whose_name_only_resembles_ours_is_none(
    browser: Browser, person: Person, client: Client, blank: str
) -> None:
    """A sibling of this host could set it."""
    attacker = client.create_person()
    browser.sign_in(person)
    tossed = (
        f"__Host-access={browser.jar['__Host-access'].value}; {blank}__Host-access={attacker.access}".encode()
    )
    host = (b"Host", client.server.origin.partition("://")[2].encode())
    url = f"{client.server.url}/api/v1/me/"
    answer = httpx.get(url, headers=[host, (b"Cookie", tossed)], trust_env=False)
    assert expect(answer, 200)["email"] == person.email
    doubled = tossed.replace(blank.encode(), b"")
    assert code_of(httpx.get(url, headers=[host, (b"Cookie", doubled)], trust_env=False)) == "invalid_token"


def test_session_goes_on_beside_a_login_under_way(browser: Browser, person: Person) -> None:
    browser.sign_in(person)
    expect(browser.post("login/", {"email": person.email, "password": person.password}), 200)
    expect(browser.post("mfa/totp/", {}), 201)
    expect(browser.post("token/refresh/", {}), 200)
    expect(browser.post("login/verify/", {"method": "totp", "code": person.code()}), 200)


def test_unknown_delivery_is_refused(client: Client, person: Person) -> None:
    body = {"email": person.email, "password": person.password}
    answer = client.post("login/", body, headers={"X-Token-Delivery": "pigeon"})
    assert code_of(answer) == "validation_failed"
    assert set(answer.json()["errors"]) == {"X-Token-Delivery"}
    expect(client.post("login/", body, headers={"X-Token-Delivery": "body"}), 200)


def test_delivery_is_no_matter_of_requests_that_deliver_nothing(client: Client, person: Person) -> None:
    """A program that sends the header with everything gets what the schema tells."""
    for wanted in ({"X-Token-Delivery": "pigeon"}, {**DELIVERY, "Origin": "https://app.example.org"}):
        expect(client.get("me/", person.access, headers=wanted), 200)
        assert code_of(client.get("me/", headers=wanted)) == "invalid_token"
        expect(client.post("token/revoke/", {"token": "x"}, headers=wanted), 200)
