"""Tokens, sessions and the keys they are checked with."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.client import Client, expect
from tests.problems import problem
from tests.server import Server


def verified(client: Client, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, checked as another service would: by JWKS alone."""
    header = jwt.get_unverified_header(token)
    keys = jwt.PyJWKSet.from_dict(expect(client.get("/.well-known/jwks.json"), 200))
    key = next(key for key in keys.keys if key.key_id == header["kid"])
    origin = client.server.origin
    return header, jwt.decode(token, key, algorithms=["ES256"], audience=origin, issuer=origin)


def test_access_token_is_verified_by_the_published_keys(client: Client) -> None:
    person = client.sign_up()
    header, claims = verified(client, person.access)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert set(claims) == {
        "iss", "aud", "sub", "jti", "iat", "exp", "token_type",
        "client_id", "sid", "auth_time", "amr", "acr", "roles",
    }  # fmt: skip
    assert claims["token_type"] == "access"
    assert claims["exp"] - claims["iat"] == 300
    assert (claims["sid"], claims["acr"], claims["roles"]) == (person.session_id, "aal2", [])
    assert claims["amr"] == ["pwd", "otp", "mfa"]
    assert claims["sub"] == expect(client.me(person.access), 200)["id"]
    assert person.email not in json.dumps(claims)


def test_kinds_of_tokens_do_not_stand_for_each_other(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    for token in (partial, person.refresh):
        problem(client.me(token), "invalid_token")
        problem(client.post("token/verify/", {"token": token}), "invalid_token")
    for token in (partial, person.access):
        problem(client.refresh(token), "invalid_token")
    for token in (person.access, person.refresh):
        problem(client.verify(token, person.recovery_codes[0], "recovery_code"), "invalid_token")


def test_forged_tokens_are_refused(client: Client) -> None:
    person = client.sign_up()
    head, body, signature = person.access.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))

    def with_header(**changes: Any) -> str:
        encoded = base64.urlsafe_b64encode(json.dumps({**header, **changes}).encode()).decode().rstrip("=")
        return f"{encoded}.{body}.{signature}"

    claims = jwt.decode(person.access, options={"verify_signature": False})
    public = json.dumps(expect(client.get("/.well-known/jwks.json"), 200)["keys"][0])
    kid = {"kid": header["kid"], "typ": "at+jwt"}
    forged = [
        with_header(alg="none"),
        with_header(alg="HS256"),
        with_header(kid="unknown"),
        with_header(typ="JWT"),
        with_header(jku="https://evil.example/"),
        f"{head}.{body}.{'A' * len(signature)}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature}=",
        jwt.encode(claims, hashlib.sha256(public.encode()).hexdigest(), algorithm="HS256", headers=kid),
    ]
    for token in forged:
        problem(client.me(token), "invalid_token")
    expect(client.me(person.access), 200)


def test_token_verify_answers_nothing_for_a_live_token(client: Client) -> None:
    person = client.sign_up()
    assert expect(client.post("token/verify/", {"token": person.access}), 200) == {}
    expect(client.post("logout/", token=person.access), 204)
    problem(client.post("token/verify/", {"token": person.access}), "invalid_token")


def test_missing_token_gets_a_bare_challenge(client: Client) -> None:
    assert client.get("me/").headers["WWW-Authenticate"] == "Bearer"
    assert 'error="invalid_token"' in client.me("x").headers["WWW-Authenticate"]


def test_any_number_of_blanks_divides_scheme_and_token(client: Client) -> None:
    person = client.create_person()
    for scheme in ("Bearer", "bearer ", "BEARER  "):
        expect(client.get("me/", headers={"Authorization": f"{scheme} {person.access}"}), 200)
    for other in (f"Bearer\t{person.access}", f"Bearer{person.access}"):
        problem(client.get("me/", headers={"Authorization": other}), "invalid_token")


def test_refresh_changes_neither_time_nor_level_of_the_login(client: Client) -> None:
    person = client.sign_up()
    _, before = verified(client, person.access)
    person.keep(expect(client.refresh(person.refresh), 200))
    _, after = verified(client, person.access)
    same = ("sub", "sid", "auth_time", "amr", "acr", "roles")
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    assert before["jti"] != after["jti"]


def test_refreshed_session_still_ends_when_it_is_idle(server: Server, client: Client) -> None:
    person = client.create_person()
    expect(client.refresh(person.refresh), 200)
    idle = "SELECT count(*) FROM secure_auth_session WHERE id = %s AND idle_expires_at < expires_at"
    assert server.rows(idle, [person.session_id]) == [(1,)]


def test_reused_refresh_token_ends_its_session(client: Client) -> None:
    person = client.sign_up()
    successor = expect(client.refresh(person.refresh), 200)
    problem(client.refresh(person.refresh), "invalid_token")
    problem(client.refresh(successor["refresh"]), "invalid_token")
    problem(client.me(successor["access"]), "invalid_token")
    problem(client.me(person.access), "invalid_token")


def test_lost_answer_is_given_again_with_the_same_key(client: Client) -> None:
    person = client.sign_up()
    key = secrets.token_urlsafe(24)
    first = expect(client.refresh(person.refresh, key=key), 200)
    again = expect(client.refresh(person.refresh, key=key), 200)
    identity = [
        jwt.decode(pair["refresh"], options={"verify_signature": False})["jti"] for pair in (first, again)
    ]
    assert identity[0] == identity[1]
    second = expect(client.refresh(again["refresh"], key=secrets.token_urlsafe(24)), 200)
    problem(client.refresh(person.refresh, key=key), "invalid_token")
    expect(client.me(second["access"]), 200)


def test_same_token_with_another_key_is_reuse(client: Client) -> None:
    person = client.sign_up()
    first = expect(client.refresh(person.refresh, key=secrets.token_urlsafe(24)), 200)
    problem(client.refresh(person.refresh, key=secrets.token_urlsafe(24)), "invalid_token")
    problem(client.me(first["access"]), "invalid_token")


def test_bad_idempotency_key_rotates_nothing(client: Client) -> None:
    person = client.sign_up()
    key = secrets.token_urlsafe(24)
    for bad in ("short", "a" * 129, "a" * 30 + "!"):
        problem(client.refresh(person.refresh, key=bad), "validation_failed")
    pair = expect(client.refresh(person.refresh, key=key), 200)
    problem(client.refresh(pair["refresh"], key=key), "validation_failed")
    expect(client.refresh(pair["refresh"], key=secrets.token_urlsafe(24)), 200)


def test_logout_ends_the_session_and_its_tokens(client: Client) -> None:
    person = client.sign_up()
    expect(client.post("logout/", token=person.access), 204)
    problem(client.me(person.access), "invalid_token")
    problem(client.refresh(person.refresh), "invalid_token")


def test_sessions_are_listed_and_ended_by_their_owner(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person = client.sign_up()
    first, old = person.session_id, person.access
    elsewhere = new_client()
    elsewhere.sign_in(person)
    listed = expect(elsewhere.get("sessions/", person.access), 200)
    assert (listed["next"], listed["previous"]) == (None, None)
    rows = {row["id"]: row for row in listed["results"]}
    assert set(rows) == {first, person.session_id}
    assert set(rows[first]) == {"id", "current", "created_at", "last_seen_at", "ip", "device", "user_agent"}
    assert (rows[first]["current"], rows[person.session_id]["current"]) == (False, True)
    assert (rows[first]["ip"], rows[person.session_id]["ip"]) == (client.address, elsewhere.address)
    expect(elsewhere.delete(f"sessions/{first}/", person.access), 204)
    problem(client.me(old), "invalid_token")
    problem(elsewhere.delete(f"sessions/{first}/", person.access), "not_found")
    expect(elsewhere.me(person.access), 200)


def test_ending_all_others_keeps_this_session_and_kills_logins(client: Client) -> None:
    person = client.sign_up()
    old = person.access
    client.sign_in(person)
    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.delete("sessions/", person.access), 204)
    problem(client.me(old), "invalid_token")
    problem(client.verify(partial, person.recovery_codes[0], "recovery_code"), "invalid_token")
    assert len(expect(client.get("sessions/", person.access), 200)["results"]) == 1


def test_no_session_is_left_out_of_the_list_however_many_are_newer(server: Server, client: Client) -> None:
    person = client.create_person()
    named = "SELECT name FROM pragma_table_info(%s)"
    if server.backend != "sqlite":
        named = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    columns = ", ".join(name for (name,) in server.rows(named, ["secure_auth_session"]) if name != "id")
    copied = f"SELECT %s, {columns} FROM secure_auth_session WHERE id = %s"
    newer = {f"ffffffff-{secrets.token_hex(2)}-7000-8000-{number:012x}" for number in range(230)}
    for copy in newer:
        server.rows(f"INSERT INTO secure_auth_session (id, {columns}) {copied}", [copy, person.session_id])
    first = expect(client.get("sessions/", person.access), 200)
    second = expect(client.get(first["next"].removeprefix(server.origin), person.access), 200)
    assert second["next"] is None
    listed = [row["id"] for row in first["results"] + second["results"]]
    assert listed == sorted([*newer, person.session_id], reverse=True)
    assert second["results"][-1]["current"]
    expect(client.delete("sessions/", person.access), 204)
    for query in ("cursor=x", "cursor=a&cursor=b"):
        problem(client.get(f"sessions/?{query}", person.access), "validation_failed")


def test_things_of_other_people_are_not_found(client: Client, new_client: Callable[..., Client]) -> None:
    owner, other = client.sign_up(), new_client().sign_up()
    client.sign_in(owner, remember_device=True)
    device = expect(client.get("devices/", owner.access), 200)["results"][0]["id"]
    authenticator = expect(client.get("mfa/", owner.access), 200)["authenticators"][0]["id"]
    for path in (f"sessions/{owner.session_id}/", f"devices/{device}/", f"mfa/{authenticator}/"):
        problem(client.delete(path, other.access), "not_found")
    expect(client.me(owner.access), 200)


@pytest.mark.parametrize("member", ["d", "k", "p", "q"])
def test_published_keys_hold_no_private_part(client: Client, member: str) -> None:
    response = client.get("/.well-known/jwks.json")
    keys = expect(response, 200)["keys"]
    assert len(keys) == 2
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert member not in key
    assert "public" in response.headers["Cache-Control"]
    assert response.headers["Content-Type"] == "application/jwk-set+json"
