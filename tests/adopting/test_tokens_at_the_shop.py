"""An adopting project's views take what the service's own take, and refuse the rest in the same words."""

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect
from tests.server import Server

pytestmark = pytest.mark.xdist_group("shop")
# Undecorated, exempt but decorated, a class without its parent's exemption, and Django REST framework's.
TAKE_A_TOKEN = ["/shop/basket/", "/shop/account/", "/shop/prices/", "/shop/rest/orders/", "/shop/rest/gifts/"]
OWNER = "WHERE id = (SELECT user_id FROM secure_auth_session WHERE id = %s)"
PUBLIC = ["/shop/window/", "/shop/catalogue/", "/shop/rest/offers/"]


def refusal(response: httpx.Response) -> tuple[int, str, Any, dict[str, Any]]:
    """What a client can tell refusals apart by."""
    body = response.json()
    assert body.pop("request_id")
    return response.status_code, response.headers["Content-Type"], response.headers["WWW-Authenticate"], body


def bad_tokens(client: Client, person: Person) -> dict[str, str]:
    head, body, signature = person.access.split(".")
    flipped = "A" if signature[9] != "A" else "B"
    ended = person.access
    expect(client.post("logout/", None, ended), 204)
    partial = expect(client.login(person), 200)["partial_token"]
    client.sign_in(person)
    return {
        "none": "",
        "garbage": "garbage",
        "partial": partial,
        "refresh": person.refresh,
        "tampered": f"{head}.{body}.{signature[:9]}{flipped}{signature[10:]}",
        "of an ended session": ended,
    }


def test_views_take_a_token_and_know_whose_it_is(visitor: Client) -> None:
    person = visitor.sign_up()
    user = expect(visitor.me(person.access), 200)["id"]
    for path in TAKE_A_TOKEN:
        answer = expect(visitor.get(path, person.access), 200)
        assert answer["user"] == user, path
        assert answer.get("session", person.session_id) == person.session_id, path


def test_no_view_opens_before_a_password_that_must_be_changed_is(visitor: Client) -> None:
    person = visitor.create_person()
    visitor.server.manage("require_password_change", person.email)
    for path in TAKE_A_TOKEN:
        assert code_of(visitor.get(path, person.access)) == "password_change_required", path
    body = {"current_password": person.password, "new_password": "quite another phrase 77"}
    expect(visitor.post("password/change/", body, person.access), 204)
    for path in TAKE_A_TOKEN:
        expect(visitor.get(path, person.access), 200)


def test_every_other_token_is_refused_as_the_api_refuses_it(visitor: Client) -> None:
    person = visitor.sign_up()
    for name, token in bad_tokens(visitor, person).items():
        wanted = refusal(visitor.me(token))
        assert wanted[0] == 401, name
        for path in TAKE_A_TOKEN:
            assert refusal(visitor.get(path, token)) == wanted, (name, path)
    expect(visitor.get("/shop/basket/", person.access), 200)


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE secure_auth_session SET revoked_at = CURRENT_TIMESTAMP WHERE id = %s",
        f"UPDATE secure_auth_user SET disabled_at = CURRENT_TIMESTAMP {OWNER}",
    ],
    ids=["session ended", "account disabled"],
)
def test_session_is_read_anew_on_every_request(shop: Server, visitor: Client, end: str) -> None:
    person = visitor.sign_up()
    for path in TAKE_A_TOKEN:
        expect(visitor.get(path, person.access), 200)
    shop.rows(end, [person.session_id])
    for path in TAKE_A_TOKEN:
        assert code_of(visitor.get(path, person.access)) == "invalid_token", path
    (refused,) = events(shop, type="token.refused", session=person.session_id)
    assert (refused.reason, refused.ip) == ("session_ended", visitor.address)


def test_public_views_take_nobody_and_look_at_no_token(visitor: Client) -> None:
    person = visitor.sign_up()
    for path in PUBLIC:
        for token in ("", "garbage", person.access):
            assert expect(visitor.get(path, token), 200) == {"user": None}, path
    assert refusal(visitor.get("/shop/rest/wishes/", person.access)) == refusal(visitor.me(""))


def test_addresses_of_the_service_need_no_exemption(visitor: Client) -> None:
    for path in ("/", "/api/docs/", "/api/schema/", "/problems/gone/", "/.well-known/jwks.json", "/healthz"):
        assert visitor.get(path).status_code == 200, path
    assert code_of(visitor.get("/shop/nothing/")) == "not_found"


def test_cookie_opens_and_what_is_not_safe_takes_the_csrf_token_too(shop: Server, visitor: Client) -> None:
    person = visitor.sign_up()
    refreshed = visitor.post(
        "token/refresh/", {"refresh": person.refresh}, headers={"X-Token-Delivery": "cookie"}
    )
    cookies = SimpleCookie("; ".join(refreshed.headers.get_list("Set-Cookie")))
    sent = {"Cookie": f"__Host-access={cookies['__Host-access'].value}"}
    proved = {**sent, "X-CSRF-Token": cookies["__Host-csrf"].value, "Origin": shop.origin}
    for path in TAKE_A_TOKEN:
        expect(visitor.get(path, headers=sent), 200)
    for path in ("/shop/basket/", "/shop/account/"):
        expect(visitor.post(path, {}, headers=proved), 200)
        for forged in (sent, proved | {"X-CSRF-Token": "x"}, proved | {"Origin": "https://evil.example"}):
            assert code_of(visitor.post(path, {}, headers=forged)) == "csrf_failed", (path, forged)
    (denied,) = events(shop, type="permission.denied", session=person.session_id)
    assert (denied.reason, denied.ip) == ("csrf", visitor.address)


@pytest.mark.parametrize("path", ["/shop/rest/staff/", "/shop/ledgers/"])
def test_rights_of_djangos_own_open_to_nobody(shop: Server, visitor: Client, path: str) -> None:
    admin = visitor.sign_up()
    shop.rows(f"UPDATE secure_auth_user SET role = 'admin' {OWNER}", [admin.session_id])
    refused = visitor.get(path, admin.access)
    assert (refused.status_code, code_of(refused)) == (403, "permission_denied")


def test_roles_are_demanded(shop: Server, visitor: Client) -> None:
    person, auditor = visitor.sign_up(), visitor.sign_up()
    shop.rows(f"UPDATE secure_auth_user SET role = 'auditor' {OWNER}", [auditor.session_id])
    for path in ("/shop/books/", "/shop/rest/ledger/"):
        assert code_of(visitor.get(path)) == "invalid_token"
        expect(visitor.get(path, auditor.access), 200)
        refused = visitor.get(path, person.access)
        own = visitor.get("audit/events/", person.access)
        assert (refused.status_code, code_of(refused), refused.json()["detail"]) == (
            own.status_code,
            code_of(own),
            own.json()["detail"],
        )
    assert code_of(visitor.post("/shop/prices/", {}, person.access)) == "permission_denied"
    expect(visitor.post("/shop/prices/", {}, auditor.access), 200)
    denied = events(shop, type="permission.denied", session=person.session_id)
    assert {(event.reason, event.ip) for event in denied} == {("role_missing", visitor.address)}


def test_views_count_against_the_limit_of_the_source(visitor: Client) -> None:
    left = [visitor.get("/shop/basket/").headers["RateLimit"] for _ in range(2)]
    assert left[0] != left[1]
