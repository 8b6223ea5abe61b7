"""Somebody with one kind of token tries it at the doors of another.

Attacker: holds a genuine partial, access, refresh, device or mailed token. Move: shows it at every endpoint that asks
for another kind. Refusal: `invalid_token`, as for a forged one; a partial token opens the second step (or, where one
is due, the enrolment) and nothing else.
"""

import re
from collections.abc import Callable

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

# What needs no bearer token at all, and what takes a partial token.
OPEN = {
    "register/", "register/confirm/", "login/", "password/reset/", "password/reset/confirm/", "password/strength/",
    "token/refresh/", "token/verify/", "token/revoke/", "token/introspect/", "email/change/confirm/",
    "mfa/reset/cancel/",
}  # fmt: skip
SECOND_STEP = {"login/verify/", "login/webauthn/options/"}
ENROLMENT = {"mfa/totp/", "mfa/totp/{authenticator_id}/confirm/"}
LEAST_DOORS = 20
NOBODY = "00000000-0000-7000-8000-000000000000"
FILLED = {"action": "unlock", "number": "1", "level": "0", "tile": "000"}  # of paths; the others are ids


def doors(client: Client) -> list[tuple[str, str]]:
    """Every method and path that asks for a bearer token, as the published schema lists them."""
    schema = expect(client.get("/api/schema/?format=json"), 200)
    found = [
        (method.upper(), path.partition("/api/v1/")[2])
        for path, operations in schema["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete") and "/api/v1/" in path
    ]
    guarded = [door for door in found if door[1] not in OPEN]
    assert len(guarded) >= LEAST_DOORS, "the schema lists the doors"
    return guarded


def assert_refused_at(client: Client, token: str, where: list[tuple[str, str]]) -> None:
    for method, path in where:
        path = re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], NOBODY), path)
        answer = client.request(method, path, token, json={} if method != "GET" else None)
        assert (answer.status_code, code_of(answer)) == (401, "invalid_token"), f"{method} {path}"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def enrolling(client: Client) -> str:
    """The partial token of somebody without a second factor."""
    person = Person(new_email())
    expect(client.register(person), 202)
    token = client.mailbox(person).wait_for_token()
    return str(expect(client.confirm(token, person.password), 200)["partial_token"])


def test_partial_token_opens_the_second_step_and_nothing_else(new_client: Callable[..., Client]) -> None:
    client = new_client()
    partial = expect(client.login(client.sign_up()), 200)["partial_token"]
    where = [door for door in doors(client) if door[1] not in SECOND_STEP]
    assert {"me/", *ENROLMENT} <= {path for _, path in where}
    assert_refused_at(client, partial, where)


def test_enrolment_token_opens_the_enrolment_and_nothing_else(client: Client) -> None:
    partial = enrolling(client)
    where = [door for door in doors(client) if door[1] not in ENROLMENT]
    assert SECOND_STEP & {path for _, path in where}
    assert_refused_at(client, partial, where)


def test_enrolling_token_at_the_second_step_is_recorded(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    partial = enrolling(client)
    for path in ("login/verify/", "login/webauthn/options/"):
        body = {"method": "totp", "code": "123456"} if path == "login/verify/" else None
        assert code_of(client.post(path, body, partial)) == "invalid_token"
    (refused,) = events(server, type="login.second_factor", outcome="failure", ip=client.address)
    assert (refused.reason, refused.severity) == ("no_method", "medium")
    assert (refused.user, refused.details["login"]) == (claims(partial)["sub"], claims(partial)["jti"])


def test_refresh_device_and_mailed_tokens_open_no_door(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes[0]
    device = expect(client.verify(partial, code, "recovery_code", remember_device=True), 200)["device_token"]
    mailed = client.mailbox(person).tokens()[0]
    every = doors(client)
    assert_refused_at(client, person.refresh, every)
    for token in (device, mailed, person.session_id, "x", "a.b.c"):
        assert_refused_at(client, token, every[::7])


def test_access_token_opens_no_second_step(client: Client) -> None:
    person = client.sign_up()
    assert_refused_at(client, person.access, [("POST", "login/verify/")])


def test_only_refresh_tokens_refresh_and_only_access_tokens_verify(server: Server, client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    for token in (person.access, partial, client.mailbox(person).tokens()[0], ""):
        assert client.refresh(token).status_code in (400, 401)
    for token in (person.refresh, partial):
        assert code_of(client.post("token/verify/", {"token": token})) == "invalid_token"
    assert expect(client.post("token/verify/", {"token": person.access}), 200) == {}
    expect(client.refresh(person.refresh), 200)


def test_mailed_token_of_one_purpose_serves_no_other(client: Client) -> None:
    person = Person(new_email())
    expect(client.register(person), 202)
    mailbox = client.mailbox(person)
    confirm = mailbox.wait_for_token()
    body = {"token": confirm, "new_password": "a brand new passphrase 9"}
    assert code_of(client.post("password/reset/confirm/", body)) == "invalid_link"
    partial = expect(client.confirm(confirm, person.password), 200)["partial_token"]
    client.enrol(person, partial)
    expect(client.post("password/reset/", {"email": person.email}), 202)
    reset = mailbox.wait_for_token(after=1)
    assert code_of(client.confirm(reset, person.password)) == "invalid_link"
    expect(client.post("password/reset/confirm/", {**body, "token": reset}), 204)
