"""Step-up at an adopting project's views and at the service's own (RFC 9470): only a second factor makes it fresh."""

import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.adopting.shop import MAX_AGE
from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect
from tests.server import Server

pytestmark = pytest.mark.xdist_group("shop")
SHOP = ["/shop/refund/", "/shop/rest/refunds/"]
OWN = [("POST", "mfa/recovery-codes/"), ("POST", "mfa/totp/"), ("POST", "password/change/")]
YEARS = 5 * 365 * 86400


def sign_up_seconds_ago(shop: Server, client: Client, seconds: int) -> Person:
    """Somebody whose second factor was proved so long ago; the session has been refreshed since."""
    person = client.sign_up()
    old = f"{datetime.now(UTC) - timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"
    shop.rows("UPDATE secure_auth_session SET auth_time = %s WHERE id = %s", [old, person.session_id])
    refresh(client, person)
    return person


def refresh(client: Client, person: Person) -> None:
    person.keep(expect(client.refresh(person.refresh, key=secrets.token_urlsafe(24)), 200))


def assert_stale(client: Client, token: str) -> None:
    for path in SHOP:
        assert challenge(client.get(path, token)) == f"max_age={MAX_AGE}", path
    for method, path in OWN:
        assert challenge(client.request(method, path, token)) == "max_age=300", path


def challenge(response: httpx.Response) -> str:
    """What a refusal asks for."""
    assert (response.status_code, code_of(response)) == (401, "reauthentication_required")
    scheme, _, asked = response.headers["WWW-Authenticate"].partition(
        ' error="insufficient_user_authentication", '
    )
    assert scheme == "Bearer"
    return str(asked)


def test_refresh_and_password_do_not_freshen_and_a_second_factor_does(shop: Server, visitor: Client) -> None:
    person = sign_up_seconds_ago(shop, visitor, YEARS)
    assert_stale(visitor, person.access)

    body = {"password": person.password}
    assert code_of(visitor.post("reauthenticate/", body, person.access)) == "validation_failed"
    wrong = {**body, "method": "recovery_code", "code": "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"}
    assert code_of(visitor.post("reauthenticate/", wrong, person.access)) == "invalid_code"
    partial = expect(visitor.login(person), 200)["partial_token"]
    assert code_of(visitor.get("/shop/refund/", partial)) == "invalid_token"
    refresh(visitor, person)
    assert_stale(visitor, person.access)

    stale = person.access
    proof = {"method": "recovery_code", "code": person.recovery_codes[0]}
    fresh = expect(visitor.post("reauthenticate/", proof, stale), 200)["access"]
    assert claims(fresh)["auth_time"] > claims(stale)["auth_time"]
    for path in SHOP:
        expect(visitor.get(path, fresh), 200)
    expect(visitor.post("mfa/recovery-codes/", None, fresh), 200)
    assert_stale(visitor, stale)


def test_max_age_is_the_views_own(shop: Server, visitor: Client) -> None:
    person = sign_up_seconds_ago(shop, visitor, MAX_AGE + 10)
    for path in SHOP:
        assert challenge(visitor.get(path, person.access)) == f"max_age={MAX_AGE}"
    expect(visitor.get("/shop/payout/", person.access), 200)
    expect(visitor.post("mfa/recovery-codes/", None, person.access), 200)


def test_stronger_login_than_there_is_is_asked_for_and_not_given(visitor: Client) -> None:
    person = visitor.sign_up()
    for path in ("/shop/vault/", "/shop/rest/vaults/"):
        assert challenge(visitor.get(path, person.access)) == 'max_age=3600, acr_values="aal3"'


def test_refusal_is_an_event_like_the_apis(shop: Server, visitor: Client) -> None:
    at_shop, at_api = (sign_up_seconds_ago(shop, visitor, YEARS) for _ in range(2))
    for path in SHOP:
        assert code_of(visitor.get(path, at_shop.access)) == "reauthentication_required"
    assert code_of(visitor.post("mfa/recovery-codes/", None, at_api.access)) == "reauthentication_required"
    ours, theirs = (
        {
            (event.outcome, event.reason, event.severity, event.ip)
            for event in events(shop, type="permission.denied", session=person.session_id)
        }
        for person in (at_shop, at_api)
    )
    assert ours == theirs == {("failure", "reauthentication_required", "medium", visitor.address)}
