"""Other services: clients by command, introspection (RFC 7662) and revocation (RFC 7009)."""

import json
import sqlite3
from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def credentials(server: Server) -> dict[str, str]:
    """A client's, as create_client prints them: one JSON object."""
    made: dict[str, str] = json.loads(server.manage("create_client", new_email("service")).stdout)
    return made


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


def introspect(client: Client, token: str, credentials: dict[str, str], **options: Any) -> httpx.Response:
    basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])
    return client.post("token/introspect/", {"token": token}, auth=basic, **options)


def test_live_access_token_tells_its_claims(
    client: Client, person: Person, credentials: dict[str, str]
) -> None:
    answer = expect(introspect(client, person.access, credentials), 200)
    me = expect(client.me(person.access), 200)
    assert (answer["active"], answer["token_type"], answer["sub"]) == (True, "Bearer", me["id"])
    assert (answer["sid"], answer["acr"], answer["client_id"]) == (
        person.session_id,
        "aal2",
        "secure-auth",
    )
    assert {"iss", "aud", "jti", "iat", "exp", "auth_time", "amr", "roles"} <= set(answer)
    assert person.email not in json.dumps(answer)


def test_form_and_json_and_both_kinds_of_credentials_are_taken(
    client: Client, person: Person, credentials: dict[str, str]
) -> None:
    form = {"token": person.access, "token_type_hint": "access_token", "unknown": "is passed over"}
    basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])
    assert expect(client.post("token/introspect/", data=form, auth=basic), 200)["active"]
    pair = b64encode(f"{credentials['client_id']}:{credentials['client_secret']}".encode()).decode()
    blanks = {"Authorization": f"Basic   {pair}"}
    assert expect(client.post("token/introspect/", data=form, headers=blanks), 200)["active"]
    empty = form | {"client_id": "", "client_secret": ""}  # as if left out (RFC 6749 section 3.1)
    assert expect(client.post("token/introspect/", data=empty, auth=basic), 200)["active"]
    bodies: list[dict[str, Any]] = [
        {"data": form | credentials},
        {"json": {"token": person.access} | credentials},
    ]
    for body in bodies:
        assert expect(client.request("POST", "token/introspect/", **body), 200)["active"]


def test_whatever_is_no_live_access_token_is_only_inactive(
    client: Client, person: Person, credentials: dict[str, str]
) -> None:
    partial = expect(client.login(person), 200)["partial_token"]
    for token in (person.refresh, partial, "nonsense", "x" * 5000, person.access[:-2]):
        assert expect(introspect(client, token, credentials), 200) == {"active": False}
    expect(client.post("logout/", None, person.access), 204)
    assert expect(introspect(client, person.access, credentials), 200) == {"active": False}


def test_session_that_ends_is_seen_at_once(
    client: Client, person: Person, credentials: dict[str, str], server: Server
) -> None:
    for end in ("revoke_sessions", "disable"):
        assert expect(introspect(client, person.access, credentials), 200)["active"]
        server.manage(end, person.email)
        assert expect(introspect(client, person.access, credentials), 200) == {"active": False}
        server.manage("enable", person.email, check=False)
        client.sign_in(person)


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer abc", "Basic " + b64encode(b":").decode()],
)
def test_without_a_client_nothing_is_told(client: Client, person: Person, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    refused = client.post("token/introspect/", {"token": person.access}, headers=headers)
    assert expect(refused, 401)["error"] == "invalid_client"
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert refused.headers["Content-Type"] == "application/json"


def test_secret_is_its_own_and_dies_with_rotation_and_revocation(
    client: Client, person: Person, server: Server
) -> None:
    name = new_email("service")
    first = json.loads(server.manage("create_client", name).stdout)
    other = json.loads(server.manage("create_client", new_email("service")).stdout)
    mixed = {**first, "client_secret": other["client_secret"]}
    assert introspect(client, person.access, mixed).status_code == 401
    again = server.manage("create_client", name, check=False)
    assert again.returncode != 0
    assert again.stderr.count("CommandError") == 1
    second = json.loads(server.manage("create_client", name, "--rotate").stdout)
    assert second["client_id"] == first["client_id"]
    assert introspect(client, person.access, first).status_code == 401
    assert introspect(client, person.access, second).status_code == 200
    assert f"{first['client_id']}\t{name}\t" in server.manage("list_clients").stdout
    server.manage("revoke_client", first["client_id"])
    assert introspect(client, person.access, second).status_code == 401
    assert "\trevoked 20" in server.manage("list_clients").stdout
    assert server.manage("revoke_client", first["client_id"], check=False).returncode != 0
    told = [event.details for event in events(server, type="client.create")]
    assert {"client": first["client_id"], "rotated": True} in told
    assert server.manage("create_client", name, "--rotate", check=False).returncode != 0
    third = json.loads(server.manage("create_client", name).stdout)  # what was revoked keeps no name
    fourth = json.loads(server.manage("create_client", name, "--rotate").stdout)
    assert fourth["client_id"] == third["client_id"]
    answers = {introspect(client, person.access, shown).status_code for shown in (second, third)}
    assert (answers, introspect(client, person.access, fourth).status_code) == ({401}, 200)


def test_secret_stands_nowhere(server: Server, credentials: dict[str, str]) -> None:
    assert credentials["client_secret"] not in server.logs()
    rows = server.rows(
        "SELECT secret_digest FROM secure_auth_client WHERE id = %s", [credentials["client_id"]]
    )
    assert len(rows[0][0]) == 64
    if server.backend == "sqlite":
        path = server.data_dir / "secure_auth.sqlite3"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as opened:
            assert credentials["client_secret"] not in "\n".join(opened.iterdump())


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_revocation_ends_the_session(client: Client, person: Person, kind: str, server: Server) -> None:
    token = getattr(person, kind)
    assert expect(client.post("token/revoke/", {"token": token}), 200) == {}
    assert code_of(client.me(person.access)) == "invalid_token"
    assert code_of(client.refresh(person.refresh)) == "invalid_token"
    expect(client.request("POST", "token/revoke/", data={"token": token}), 200)
    ended = events(server, session=person.session_id, type="token.revoke")
    assert [event.details["kind"] for event in ended] == [kind]
    assert len(events(server, session=person.session_id, type="session.end")) == 1


def test_revocation_ends_a_login_under_way(client: Client, person: Person) -> None:
    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.post("token/revoke/", {"token": partial}), 200)
    assert code_of(client.verify(partial, person.code())) == "invalid_token"
    expect(client.me(person.access), 200)


def test_malformed_requests_are_answered_in_oauths_words(client: Client) -> None:
    malformed: list[dict[str, Any]] = [
        {"content": b"token=a&token=b", "headers": {"Content-Type": FORM}},
        {"content": b"token=%ff", "headers": {"Content-Type": FORM}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
    ]
    for path in ("token/revoke/", "token/introspect/"):
        for options in malformed:
            assert expect(client.request("POST", path, **options), 400)["error"] == "invalid_request"
        other = client.request("POST", path, content=b"x")
        assert code_of(other) == "unsupported_media_type"
        assert "form" in other.json()["detail"], "what is taken is told, not JSON alone"
        assert code_of(client.get(path)) == "method_not_allowed"


def test_a_missing_token_is_told_to_those_who_may_ask(client: Client, credentials: dict[str, str]) -> None:
    assert expect(client.post("token/revoke/", {}), 400)["error"] == "invalid_request"
    assert expect(client.post("token/introspect/", credentials), 400)["error"] == "invalid_request"
    assert expect(client.post("token/introspect/", {}), 401)["error"] == "invalid_client"


def test_introspection_is_recorded_once_a_window(
    client: Client, person: Person, credentials: dict[str, str], server: Server
) -> None:
    for _ in range(3):
        introspect(client, person.access, credentials)
    client.post("token/introspect/", {"token": person.access})
    asked = events(server, type="token.introspect", session=person.session_id)
    assert [event.details for event in asked] == [{"client": credentials["client_id"], "active": True}]
    first = person.session_id
    client.recover(person)
    introspect(client, person.access, credentials)
    assert person.session_id != first
    assert len(events(server, type="token.introspect", session=person.session_id)) == 1
    refused = [
        one for one in events(server, type="token.introspect") if one.ip == client.address and one.reason
    ]
    assert [one.reason for one in refused] == ["no_client"]
