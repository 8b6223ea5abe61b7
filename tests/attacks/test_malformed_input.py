"""Attacker: anyone who can send bytes. Move: bodies that no honest client sends.

Expected: a problem document (RFC 9457) with the right status; nothing changed, nothing leaked, no traceback.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.insider import ENDPOINTS, FIELDS, JSON, SECRET, Insider, parsing, snapshot
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import scaled
from tests.problems import problem
from tests.server import Server

pytestmark = pytest.mark.usefixtures("no_traceback")


def nested(depth: int) -> bytes:
    return b'{"email":' + b"[" * depth + b"]" * depth + b"}"


MALFORMED = {
    "no JSON": b"email=a@example.org",
    "cut off": b'{"email": "a@exam',
    "trailing garbage": b'{"email": "a@example.org"} x',
    "two documents": b"{}{}",
    "single quotes": b"{'email': 'a'}",
    "NaN": b'{"email": NaN}',
    "Infinity": b'{"email": -Infinity}',
    "huge number": b'{"email": ' + b"9" * 5000 + b"}",
    "duplicate names": b'{"email": "a@example.org", "email": "b@example.org"}',
    "duplicate names by escape": b'{"email": "a@example.org", "\\u0065mail": "b@example.org"}',
    "array": b'[{"email": "a@example.org"}]',
    "string": b'"email"',
    "null": b"null",
    "number": b"1",
    "deep array": nested(20_000),
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "encoded surrogate": b'{"email": "\xed\xa0\x80"}',
    "UTF-16": '{"email": "a@example.org"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"email": "a@example.org"}',
    "lone surrogate as value": b'{"email": "\\ud800@example.org"}',
    "lone surrogate as name": b'{"\\udfff": "a"}',
    "blanks": b"   \n",
    "raw NUL": b'{"email": "a\x00b"}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}


@parsing
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_refused_at_every_endpoint(
    insider: Insider, server: Server, content: bytes
) -> None:
    insider.token("access")
    before = snapshot(server)
    for path in ENDPOINTS:
        body = problem(insider.send(path, content), "validation_failed")
        assert "a@exam" not in json.dumps(body)
    assert snapshot(server) == before


@parsing
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "json",
        "application/json, text/plain",
        "application/\xff",
    ],
)
def test_anything_but_json_is_unsupported(insider: Insider, server: Server, content_type: str) -> None:
    insider.token("access")
    before = snapshot(server)
    for path, (_, body) in ENDPOINTS.items():
        response = insider.send(
            path, json.dumps(body).encode() or b"{}", **{"Content-Type": content_type.encode("latin-1")}
        )
        problem(response, "unsupported_media_type")
    assert snapshot(server) == before


@parsing
def test_json_with_parameters_and_capitals_is_json(client: Client) -> None:
    content = json.dumps({"email": new_email(), "password": SECRET}).encode()
    for content_type in ("application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"):
        response = client.post("login/", content=content, headers={"Content-Type": content_type})
        assert code_of(response) == "invalid_credentials"


@parsing
@pytest.mark.parametrize("path", ENDPOINTS)
def test_unknown_field_is_named_and_nothing_is_done(insider: Insider, server: Server, path: str) -> None:
    insider.token("access")
    before = snapshot(server)
    content = json.dumps({**ENDPOINTS[path][1], "is_admin": True, "rôle\u0000": 1}).encode()
    errors = problem(insider.send(path, content), "validation_failed")["errors"]
    assert set(errors) == {"is_admin", "rôle\u0000"}
    assert snapshot(server) == before


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_wrong_type_is_refused_by_field(insider: Insider, server: Server, path: str, field: str) -> None:
    insider.token("access")
    before = snapshot(server)
    right = ENDPOINTS[path][1]
    wrong = [None, 1, 1.5, [], {}, ["totp"], {"$ne": 1}, "a\u0000b"]
    wrong += ["true", 0] if isinstance(right[field], bool) else [True, False]
    for value in wrong:
        content = json.dumps({**right, field: value}).encode()
        body = problem(insider.send(path, content), "validation_failed")
        assert set(body["errors"]) == {field}, value
        assert SECRET not in json.dumps(body)
    assert snapshot(server) == before


@parsing
@pytest.mark.parametrize("path", [path for path in ENDPOINTS if not path.startswith("mfa/")])
def test_missing_body_is_refused(insider: Insider, path: str) -> None:
    for content in (b"", b"{}"):
        assert problem(insider.send(path, content), "validation_failed")["errors"]


@parsing
def test_refused_choice_is_not_repeated(insider: Insider) -> None:
    content = json.dumps({"method": SECRET, "code": "000000"}).encode()
    assert SECRET not in insider.send("reauthenticate/", content).text


@parsing
@pytest.mark.parametrize("size", [65_537, 1_000_000, 1_040_000])
def test_large_body_is_refused_before_it_is_parsed(insider: Insider, server: Server, size: int) -> None:
    insider.token("access")
    before = snapshot(server)
    for path in ("login/", "register/", "login/verify/", "mfa/totp/", "logout/", "me/", "nowhere/"):
        content = b'{"email": "' + b"a" * (size - 13) + b'"}'
        response = insider.client.post(path, content=content, headers=JSON)
        problem(response, "payload_too_large")
    assert snapshot(server) == before


@parsing
def test_ten_thousand_characters_of_password_are_refused(insider: Insider, client: Client) -> None:
    long = "päss\U0001f511" * 2000
    for path, (_, body) in ENDPOINTS.items():
        for field in body:
            if field.endswith("password"):
                response = insider.send(path, json.dumps({**body, field: long}).encode())
                assert field in problem(response, "validation_failed")["errors"]
    assert (
        "password"
        in problem(client.register(Person(new_email(), "x1y2" * 33)), "validation_failed")["errors"]
    )


def test_passwords_of_any_script_work_in_either_normal_form(server: Server, client: Client) -> None:
    person = Person(
        new_email(), "\u202bתפרח\u202c \U0001f511\U0001f468\u200d\U0001f469\u200d\U0001f467 cafe\u0301"
    )
    server.create_user(person.email, person.password)
    assert expect(client.login(person, person.password.replace("e\u0301", "é")), 200)["next"] == "enroll"
    assert code_of(client.login(person, person.password.strip("\u202b"))) == "invalid_credentials"


def test_right_to_left_and_emoji_stay_what_they_are(insider: Insider) -> None:
    token = insider.token("access")
    name = "\u202eenohp\u202c \U0001f4f1 ‏שלום"
    expect(insider.client.post("mfa/totp/", {"name": name}, token), 201)


@pytest.mark.parametrize(
    "address",
    [
        "victim@example.org\r\nBcc: thief@example.net",
        "victim@example.org\nBcc: thief@example.net",
        "victim@example.org%0aBcc:thief@example.net",
        "victim@example.org,thief@example.net",
        "Victim <victim@example.org>",
        '"a b"@example.org',
        "victim@[127.0.0.1]",
        "victim@example.org\u2028",
        "vic\u200btim@",
        "@example.org",
        "a@" + "b" * 250 + ".org",
        "victim@example..org",
    ],
)
def test_address_that_is_none_registers_nobody(client: Client, server: Server, address: str) -> None:
    before = snapshot(server)
    response = client.post("register/", {"email": address, "password": PASSWORD})
    assert set(problem(response, "validation_failed")["errors"]) == {"email"}
    assert snapshot(server) == before


TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint and a body of which some fields are right, wrong, missing or new."""
    path = draw(st.sampled_from(list(ENDPOINTS)))
    right = ENDPOINTS[path][1]
    body = {
        field: draw(st.just(value) | TEXT | VALUES)
        for field, value in right.items()
        if draw(st.integers(0, 4))
    }
    return path, body | draw(st.just({}) | st.dictionaries(TEXT, VALUES, max_size=1))


def test_no_body_makes_a_fault_of_ours(insider: Insider) -> None:
    refused: set[str] = set()

    @settings(
        max_examples=scaled(150, 3000),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies())
    def check(case: tuple[str, dict[str, Any]]) -> None:
        path, body = case
        response = insider.send(path, json.dumps(body).encode())
        if response.status_code >= 400:
            refused.add(problem(response)["code"])
        else:
            assert response.status_code in (200, 201, 202, 204)

    check()
    assert "validation_failed" in refused


def test_insider_still_stands(insider: Insider, new_client: Callable[..., Client]) -> None:
    """After all of it the admin's account works as before."""
    assert expect(new_client().me(insider.token("access")), 200)["roles"] == ["admin", "auditor"]
