"""Real answers, of the whole journey and of its refusals, are those that the OpenAPI document tells."""

import json
import time
from collections.abc import Callable

import httpx
import pytest

from audit.vocabulary import Format
from tests import passkeys
from tests.attacks.mails import wait_for_link
from tests.client import Client, Person, code_of, expect, new_email
from tests.detecting import wait_for_detection
from tests.house.conftest import METRICS_TOKEN
from tests.house.schema import Judge, operations
from tests.server import Server

pytestmark = pytest.mark.xdist_group("house")
NEW_PASSWORD = "quite another phrase 77"
KEY = "k" * 22


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def new_judged(visitor: Callable[[], Client], judge: Judge) -> Callable[[], Client]:
    """Makes clients whose every answer is judged."""

    def make() -> Client:
        made = visitor()
        made.http.event_hooks["response"].append(judge)
        return made

    return make


@pytest.fixture
def client(new_judged: Callable[[], Client]) -> Client:
    return new_judged()


def make_stale(service: Server, person: Person) -> None:
    """Let the second factor of a person's session have been proved long ago."""
    old = "2020-01-01 00:00:00"
    service.rows("UPDATE secure_auth_session SET auth_time = %s WHERE id = %s", [old, person.session_id])


def live(client: Client) -> None:
    """What a person does from registration to logout."""
    person = client.sign_up()
    expect(client.me(person.access), 200)
    expect(client.post("password/strength/", {"password": NEW_PASSWORD, "email": person.email}), 200)
    client.sign_in(person, remember_device=True)
    fresh = client.post("reauthenticate/", {"method": "totp", "code": person.code()}, person.access)
    person.access = expect(fresh, 200)["access"]
    for path in ("sessions/", "devices/", "mfa/", "me/activity/"):
        expect(client.get(path, person.access), 200)
    expect(client.post("token/verify/", {"token": person.access}), 200)
    introspect(client, person)
    person.keep(expect(client.refresh(person.refresh, key=KEY), 200))
    second = expect(client.post("mfa/totp/", {"name": "Tablet"}, person.access), 201)
    wrong = client.post(f"mfa/totp/{second['id']}/confirm/", {"code": "000000"}, person.access)
    assert code_of(wrong) == "invalid_code"
    person.recovery_codes = expect(client.post("mfa/recovery-codes/", None, person.access), 200)[
        "recovery_codes"
    ]
    device = expect(client.get("devices/", person.access), 200)["results"][0]["id"]
    expect(client.delete(f"devices/{device}/", person.access), 204)
    passwords = {"current_password": person.password, "new_password": NEW_PASSWORD}
    expect(client.post("password/change/", passwords, person.access), 204)
    person.password, person.device_token = NEW_PASSWORD, ""
    first, first_id = person.access, person.session_id
    client.recover(person)
    expect(client.delete(f"sessions/{first_id}/", person.access), 204)
    assert code_of(client.me(first)) == "invalid_token"
    expect(client.delete("sessions/", person.access), 204)
    expect(client.get("me/export/", person.access), 200)
    assert code_of(client.get("me/export/", person.access)) == "rate_limited"
    expect(client.post("logout/", None, person.access), 204)
    client.recover(person)
    wrong = client.delete("me/", person.access, json={"current_password": "a wrong phrase"})
    assert code_of(wrong) == "invalid_credentials"
    expect(client.delete("me/", person.access, json={"current_password": person.password}), 204)


def introspect(client: Client, person: Person) -> None:
    """What another service does, and how it is refused."""
    made = json.loads(client.server.manage("create_client", new_email("service")).stdout)
    basic = httpx.BasicAuth(made["client_id"], made["client_secret"])
    asked = client.post("token/introspect/", {"token": person.access}, auth=basic)
    assert expect(asked, 200)["active"]
    assert expect(client.post("token/introspect/", {"token": "x"}, auth=basic), 200) == {"active": False}
    assert expect(client.post("token/introspect/", {"token": "x"}), 401)["error"] == "invalid_client"
    assert expect(client.post("token/introspect/", {}, auth=basic), 400)["error"] == "invalid_request"
    expect(client.post("token/revoke/", {"token": "x"}), 200)
    assert expect(client.post("token/revoke/", {}), 400)["error"] == "invalid_request"


def recover(client: Client) -> None:
    """A second authenticator, and a forgotten password."""
    person = client.sign_up()
    first = expect(client.get("mfa/", person.access), 200)["authenticators"][0]["id"]
    assert code_of(client.delete(f"mfa/{first}/", person.access)) == "last_authenticator"
    client.enrol(person, person.access)
    expect(client.delete(f"mfa/{first}/", person.access), 204)
    seen = len(client.mailbox(person).tokens())
    expect(client.post("password/reset/", {"email": person.email}), 202)
    token = client.mailbox(person).wait_for_token(after=seen)
    expect(client.post("password/reset/confirm/", {"token": token, "new_password": NEW_PASSWORD}), 204)
    again = client.post("password/reset/confirm/", {"token": token, "new_password": NEW_PASSWORD})
    assert code_of(again) == "invalid_link"


def move(client: Client) -> None:
    """Another address, confirmed at both ends."""
    person, new = client.sign_up(), Person(new_email("moved"))
    body = {"current_password": person.password, "new_email": new.email}
    expect(client.post("email/change/", body, person.access), 202)
    for end in (person, new):
        token = wait_for_link(client, end, "address")
        expect(client.post("email/change/confirm/", {"token": token}), 200)
    assert code_of(client.post("email/change/confirm/", {"token": token})) == "invalid_link"


def use_passkeys(client: Client) -> None:
    """Bound, shown at both doors, renamed; and how each is refused."""
    person = client.sign_up()
    without = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.post("login/webauthn/options/", None, without)) == "not_found"
    assert code_of(client.post("reauthenticate/webauthn/options/", None, person.access)) == "not_found"
    passkey = passkeys.add_passkey(client, person, "Laptop")
    client.sign_in(person)
    assert code_of(client.post("mfa/recovery-codes/", None, person.access)) == "reauthentication_required"
    passkeys.sign_in(client, person, passkey)
    passkeys.step_up(client, person, passkey)
    wrong = passkey.show({"challenge": "AAAA"})
    assert code_of(passkeys.reauthenticate(client, person, wrong)) == "invalid_code"
    made = passkey.make(passkeys.creation_options(client, person))
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    key = expect(client.get("mfa/", person.access), 200)["authenticators"][1]["id"]
    expect(client.request("PATCH", f"mfa/{key}/", person.access, json={"name": "Old laptop"}), 200)
    assert code_of(client.request("PATCH", f"mfa/{key}/", person.access, json={})) == "validation_failed"


def administer(client: Client) -> None:
    """What auditors and admins do."""
    admin, person = client.create_person(role="admin"), client.create_person()
    events = expect(client.get("audit/events/", admin.access, params={"limit": 5}), 200)
    look_into(client, admin, person)
    expect(client.get(f"audit/events/{events['results'][0]['id']}/", admin.access), 200)
    prove(client, admin, events["results"][-1]["id"])
    expect(client.get("audit/summary/", admin.access, params={"bucket": "day"}), 200)
    assert code_of(client.get("audit/summary/", admin.access, params={"bucket": "x"})) == "validation_failed"
    assert client.get("audit/export/", admin.access, params={"limit": 5}).status_code == 200
    assert code_of(client.get("audit/export/", admin.access, params={"format": "x"})) == "validation_failed"
    expect(client.get("admin/users/", admin.access), 200)
    user = expect(client.me(person.access), 200)["id"]
    reason = {"reason": "a test"}
    for action in ("unlock", "revoke-sessions", "disable", "enable", "reset-mfa", "require-password-change"):
        expect(client.post(f"admin/users/{user}/{action}/", reason, admin.access), 204)
    token = wait_for_link(client, person, "cancel-reset")
    expect(client.post("mfa/reset/cancel/", {"token": token}), 204)
    assert code_of(client.post(f"admin/users/{user}/enable/", reason, admin.access)) == "validation_failed"
    nobody = "00000000-0000-7000-8000-000000000000"
    assert code_of(client.post(f"admin/users/{nobody}/unlock/", reason, admin.access)) == "not_found"
    assert code_of(client.get(f"audit/events/{nobody}/", admin.access)) == "not_found"
    invite(client, admin)
    assert code_of(client.get("audit/events/", admin.access, params={"typ": "x"})) == "validation_failed"
    own = expect(client.me(admin.access), 200)["id"]
    assert code_of(client.post(f"admin/users/{own}/reset-mfa/", reason, admin.access)) == "permission_denied"


def invite(client: Client, admin: Person) -> None:
    """An invitation that is accepted by somebody who must change the password at once, and one that is taken back."""
    body = {"email": new_email("invited"), "role": "auditor", "reason": "a test"}
    expect(client.post("admin/invitations/", body, admin.access), 201)
    other = expect(client.post("admin/invitations/", {**body, "email": new_email()}, admin.access), 201)
    expect(client.get("admin/invitations/", admin.access), 200)
    expect(client.delete(f"admin/invitations/{other['id']}/", admin.access), 204)
    assert code_of(client.delete(f"admin/invitations/{other['id']}/", admin.access)) == "not_found"
    assert (
        code_of(client.post("admin/invitations/", {**body, "role": "x"}, admin.access)) == "validation_failed"
    )
    person = Person(body["email"])
    taken = {"invitation": client.mailbox(person).wait_for_token(), "password": person.password}
    partial = expect(client.post("register/", taken), 200)["partial_token"]
    client.server.manage("require_password_change", person.email)
    assert code_of(client.post("mfa/totp/", {}, partial)) == "invalid_token"
    client.sign_in(person)
    assert code_of(client.get("mfa/", person.access)) == "password_change_required"
    expect(client.me(person.access), 200)
    expect(client.refresh(person.refresh), 200)
    assert code_of(client.post("register/", taken)) == "invalid_link"


def prove(client: Client, admin: Person, event_id: str) -> None:
    """What an auditor checks."""
    deadline = time.monotonic() + 20
    while client.get(f"audit/events/{event_id}/proof/", admin.access).status_code == 409:
        assert time.monotonic() < deadline, "the event stays pending"
        time.sleep(0.2)
    expect(client.get(f"audit/events/{event_id}/proof/", admin.access), 200)
    as_text = {"Accept": "text/plain"}
    assert client.get(f"audit/events/{event_id}/proof/", admin.access, headers=as_text).status_code == 200
    for kind in Format:
        assert client.get("audit/export/", admin.access, params={"format": kind}).status_code == 200
    for log in ("audit/log/", "audit/log/1/"):
        for name in ("checkpoint", "vkey", "vkeys", "tile/0/000.p/5", "tile/entries/000.p/5"):
            assert client.get(log + name, admin.access).status_code == 200
    assert code_of(client.get("audit/log/tile/1/000", admin.access)) == "not_found"


def look_into(client: Client, admin: Person, person: Person) -> None:
    """A refresh token used again, and what an auditor reads and notes of it."""
    victim = Person(person.email, person.password, person.authenticator, person.recovery_codes)
    partial = expect(client.login(victim), 200)["partial_token"]
    victim.keep(expect(client.verify(partial, victim.recovery_codes[-1], "recovery_code"), 200))
    expect(client.refresh(victim.refresh), 200)
    assert code_of(client.refresh(victim.refresh)) == "invalid_token"
    found = wait_for_detection(client, admin, "refresh_reuse", session=victim.session_id)
    path = f"audit/detections/{found['id']}/"
    expect(client.get(path, admin.access), 200)
    expect(client.post(f"{path}acknowledge/", {"note": "a test"}, admin.access), 200)


def test_refusals_answer_as_documented(client: Client, service: Server) -> None:
    person = client.sign_up()
    assert code_of(client.get("audit/events/", person.access)) == "permission_denied"
    assert code_of(client.get("me/")) == "invalid_token"
    assert code_of(client.post("login/", {"email": person.email})) == "validation_failed"
    assert code_of(client.post("login/", {"email": "x", "password": "y", "z": 1})) == "validation_failed"
    assert code_of(client.post("login/", content=b"a=b")) == "unsupported_media_type"
    assert code_of(client.post("login/", {"email": person.email, "password": "p" * 70000})) == (
        "payload_too_large"
    )
    assert code_of(client.post("mfa/", {}, person.access)) == "method_not_allowed"
    assert code_of(client.confirm("nothing", person.password)) == "invalid_link"
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial, "000000")) == "invalid_code"
    assert code_of(client.me(partial)) == "invalid_token"
    make_stale(service, person)
    person.keep(expect(client.refresh(person.refresh), 200))
    stale = client.post("mfa/recovery-codes/", None, person.access)
    assert code_of(stale) == "reauthentication_required"
    assert code_of(client.refresh("nothing")) == "invalid_token"
    assert code_of(client.refresh(person.refresh, key="short")) == "validation_failed"
    for _ in range(5):
        assert code_of(client.login(person, "a wrong phrase")) == "invalid_credentials"
    assert code_of(client.login(person, "a wrong phrase")) == "temporarily_locked"


def test_locked_second_step_answers_as_documented(client: Client) -> None:
    person = client.sign_up()
    begun = expect(client.post("mfa/totp/", {}, person.access), 201)
    wrong = {"method": "totp", "code": "000000"}
    for _ in range(10):
        assert code_of(client.post("reauthenticate/", wrong, person.access)) == "invalid_code"
    assert code_of(client.post("reauthenticate/", wrong, person.access)) == "temporarily_locked"
    assert code_of(client.post("mfa/totp/", {}, person.access)) == "temporarily_locked"
    confirmed = client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": "000000"}, person.access)
    assert code_of(confirmed) == "temporarily_locked"
    assert code_of(client.post("mfa/webauthn/options/", None, person.access)) == "temporarily_locked"


def test_too_many_mails_answer_as_documented(client: Client) -> None:
    for _ in range(5):
        expect(client.register(Person(new_email())), 202)
    assert code_of(client.register(Person(new_email()))) == "rate_limited"


def look_around(client: Client) -> None:
    """The addresses for everybody."""
    for path in (
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/.well-known/security.txt",
        "/.well-known/webauthn",
    ):
        assert client.get(path).status_code == 200
        assert code_of(client.post(path, {})) == "method_not_allowed"
    tag = client.get("/.well-known/jwks.json").headers["ETag"]
    assert client.get("/.well-known/jwks.json", headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/.well-known/jwks.json", headers={"If-Match": '"another"'}).status_code == 412
    assert code_of(client.get("/metrics")) == "invalid_token"
    assert client.get("/metrics", METRICS_TOKEN).status_code == 200
    expect(client.get("/api/schema/", params={"format": "json"}), 200)


def test_every_operation_succeeds_on_the_journey_and_answers_as_documented(
    new_judged: Callable[[], Client], judge: Judge
) -> None:
    for journey in (live, recover, move, use_passkeys, administer, look_around):
        journey(new_judged())
    succeeded = {(method, path) for method, path, status, _ in judge.seen if status < 300}
    assert set(operations()) - succeeded == set()
