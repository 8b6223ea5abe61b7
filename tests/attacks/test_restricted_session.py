"""Somebody holds a session of an account whose password must be changed, and goes on as if nothing were.

Attacker: has the password and a session, perhaps by the very breach. Move: every operation of the interface, with
access tokens from before and after; the same password in another spelling; a change that began before. Refusal:
`password_change_required` wherever docs/passwords.md names no exception; the flag stays until the password is another.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.mails import wait_for_link
from tests.attacks.volley import fire
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.house.schema import operations
from tests.meanwhile import outcome
from tests.server import Server

OPEN = {
    *(("POST", f"/api/v1/{path}/") for path in ("password/change", "reauthenticate", "logout")),
    ("POST", "/api/v1/reauthenticate/webauthn/options/"),  # without them a passkey is no way to be fresh
    ("GET", "/api/v1/me/"),
}
NOBODY = "00000000-0000-7000-8000-000000000000"
NAMED = {"{action}": "unlock", "{level}": "0", "{tile}": "000.p/1", "{number}": "1"}


def flagged(client: Client, role: str = "admin") -> Person:
    """Somebody with every role, flagged, with the access token from before in `access`."""
    person = client.create_person(role=role)
    client.server.manage("require_password_change", person.email)
    return person


def address_of(path: str) -> str:
    for name, value in NAMED.items():
        path = path.replace(name, value)
    while "{" in path:
        begin, end = path.index("{"), path.index("}")
        path = path[:begin] + NOBODY + path[end + 1 :]
    return path


def test_every_operation_with_an_access_token_is_shut(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = flagged(client)
    before, after = person.access, expect(client.refresh(person.refresh), 200)["access"]
    shut = 0
    for (method, path), operation in operations().items():
        by_access = any("accessToken" in one for one in operation["security"])
        if not by_access or (method, path) in OPEN:
            continue
        for access in (before, after):
            answer = client.request(method, address_of(path), access)
            assert code_of(answer) == "password_change_required", (method, path, answer.text)
        shut += 1
    assert shut > 30
    expect(client.me(before), 200)
    expect(client.me(after), 200)


def test_no_spelling_of_the_present_password_is_another_one(client: Client) -> None:
    present = "caf\u00e9 au lait 4 deux"
    person = Person(new_email("cafe"), present)
    client.server.create_user(person.email, present)
    client.sign_in(person)
    client.server.manage("require_password_change", person.email)
    body = {"current_password": present, "new_password": "cafe\u0301 au lait 4 deux"}
    told = client.post("password/change/", body, person.access)
    assert told.json()["errors"]["new_password"][0]["code"] == "unchanged"
    assert expect(client.me(person.access), 200)["password_change_required"]


def test_no_change_that_lost_to_the_requirement_ends_it(
    server: Server, new_client: Callable[..., Client], admin: Callable[[], tuple[Client, Person]]
) -> None:
    """Unless the change proved the password after it was required, the flag stands."""
    client, chief = new_client(), new_client()
    person = client.create_person()
    user = expect(client.me(person.access), 200)["id"]
    _, boss = admin()
    body = {"current_password": PASSWORD, "new_password": "quite another phrase 77"}
    required, changed = fire(
        [
            partial(chief.post, f"admin/users/{user}/require-password-change/", {"reason": "x"}, boss.access),
            partial(client.post, "password/change/", body, person.access),
        ]
    )
    assert required.status_code == 204
    assert changed.status_code in (204, 401)
    query = "SELECT must_change_password FROM secure_auth_user WHERE id = %s"
    ((flag,),) = server.rows(query, [user])
    assert flag == "required" or (flag == "" and changed.is_success)


def test_no_reset_that_was_under_way_when_it_was_required_ends_it(server: Server, client: Client) -> None:
    person = client.create_person()
    expect(client.post("password/reset/", {"email": person.email}), 202)
    token = wait_for_link(client, person, "reset")
    user = f"administration.find_user({person.email!r})"
    answer = outcome(
        server,
        f"accounts.confirm_reset(token={token!r}, new_password={PASSWORD!r}, source=source)",
        before="secure_auth.passwords.hash_password",
        meanwhile=f"administration.require_password_change(user={user}, actor=command)",
        address=new_address(),
    )
    assert answer == "done"
    query = "SELECT must_change_password FROM secure_auth_user WHERE email = %s"
    assert server.rows(query, [person.email]) == [("required",)]


def test_the_partial_token_of_a_flagged_account_binds_nothing_more(client: Client) -> None:
    person = flagged(client)
    partial_token = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.post("mfa/totp/", {}, partial_token)) == "invalid_token"
    pair = expect(client.verify(partial_token, person.recovery_codes.pop(), "recovery_code"), 200)
    assert code_of(client.post("mfa/totp/", {}, pair["access"])) == "password_change_required"
