"""Somebody reads the logs, the events, the mails or a copy of the database.

Attacker: an operator, a backup thief, a log collector. Move: looks for anything that opens a door, after whole lives of
accounts: registration, logins, refusals, theft, lockout, reset, recovery, admin actions. Refusal: no password, TOTP
secret, code, recovery code, token or device token stands anywhere; a mailed token only in its own mail.
"""

from collections.abc import Iterator

import pytest

from tests.attacks.canary import Canary, assert_nothing_leaked, passphrase
from tests.attacks.mails import wait_for_link
from tests.client import Person, expect, new_email
from tests.conftest import new_address
from tests.server import TESTED_BACKENDS, Server, running_server


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whose whole memory is searched."""
    with running_server(request.param, tmp_path_factory.mktemp("canary")) as server:
        yield server


@pytest.fixture
def canary(service: Server) -> Iterator[Canary]:
    client = Canary(service, new_address())
    yield client
    client.close()


def new_person(name: str = "person") -> Person:
    return Person(new_email(name), passphrase())


def begin(canary: Canary, person: Person) -> None:
    """Register, confirm wrongly and rightly, enrol."""
    expect(canary.post("register/", {"email": person.email, "password": "password1"}), 400)
    canary.register(person)
    link = wait_for_link(canary, person, "confirm")
    expect(canary.confirm(link, passphrase()), 401)
    expect(canary.login(person), 401)
    canary.enrol(person, expect(canary.confirm(link, person.password), 200)["partial_token"])
    expect(canary.confirm(link, person.password), 400)


def use(canary: Canary, person: Person) -> None:
    """Sign in in all ways, be refused in all ways, refresh, have a token stolen."""
    assert person.authenticator
    partial = expect(canary.login(person), 200)["partial_token"]
    expect(canary.verify(partial, person.authenticator.wrong_code()), 401)
    person.keep(expect(canary.verify(partial, person.code(), remember_device=True), 200))
    expect(canary.login(person), 200)
    expect(canary.verify(partial, person.recovery_codes[0], "recovery_code"), 401)
    first = expect(canary.refresh(person.refresh, key=passphrase().replace(" ", "-")), 200)
    expect(canary.refresh(first["refresh"]), 200)
    expect(canary.post("token/verify/", {"token": first["access"]}), 200)
    expect(canary.refresh(first["refresh"]), 401)
    expect(canary.me(first["access"]), 401)


def change(canary: Canary, person: Person) -> None:
    """Come back by a recovery code, change what can be changed, reset the password by mail."""
    partial = expect(canary.login(person), 200)["partial_token"]
    person.keep(expect(canary.verify(partial, person.recovery_codes[1].lower(), "recovery_code"), 200))
    factor = {"method": "recovery_code", "code": person.recovery_codes[2], "password": person.password}
    access = expect(canary.post("reauthenticate/", factor, person.access), 200)["access"]
    expect(canary.post("mfa/totp/", {"name": "second phone"}, access), 201)
    person.recovery_codes = expect(canary.post("mfa/recovery-codes/", None, access), 200)["recovery_codes"]
    body = {"current_password": passphrase(), "new_password": passphrase()}
    expect(canary.post("password/change/", body, access), 401)
    body["current_password"], person.password = person.password, body["new_password"]
    expect(canary.post("password/change/", body, access), 204)
    expect(canary.post("password/reset/", {"email": person.email}), 202)
    link = wait_for_link(canary, person, "reset")
    person.password = passphrase()
    expect(canary.post("password/reset/confirm/", {"token": link, "new_password": person.password}), 204)


def guess(canary: Canary, person: Person) -> None:
    """Run into the lock."""
    guesser = Canary(canary.server, new_address())
    for _ in range(6):
        guesser.login(person, passphrase(), headers={"X-Device-Token": passphrase()})
    canary.noted |= guesser.noted
    guesser.close()


def administer(canary: Canary, person: Person) -> None:
    """An admin unlocks, resets the second factor, disables and enables; the person enrols by mail."""
    boss = new_person("admin")
    canary.server.create_user(boss.email, boss.password, role="admin")
    canary.sign_in(boss)
    users = expect(canary.get("admin/users/", boss.access), 200)["results"]
    user_id = next(user["id"] for user in users if user["email"] == person.email)
    for action in ("unlock", "reset-mfa", "disable", "enable"):
        path = f"admin/users/{user_id}/{action}/"
        expect(canary.post(path, {"reason": "asked by phone"}, boss.access), 204)
    other = Canary(canary.server, new_address())
    partial = expect(other.login(person), 200)["partial_token"]
    begun = expect(other.post("mfa/totp/", {"token": wait_for_link(other, person, "enrol")}, partial), 201)
    assert begun["secret"]
    expect(canary.get("audit/events/", boss.access), 200)
    canary.noted |= other.noted
    other.close()


def test_no_secret_of_a_whole_life_is_kept_or_logged(canary: Canary) -> None:
    person = new_person()
    begin(canary, person)
    use(canary, person)
    change(canary, person)
    guess(canary, person)
    administer(canary, person)
    assert_nothing_leaked(canary.server, canary, at_least=70, witness=person.email)


def misplace(canary: Canary, person: Person, secret: str) -> None:
    """A secret typed, pasted or programmed into every place that is not meant for one."""
    canary.login(Person(secret, person.password))
    canary.login(Person(f"{secret}@example.org", person.password))
    canary.get(f"me/?token={secret}&password={secret}", person.access)
    canary.get(f"{secret}/{secret}/", secret)
    canary.post("login/", {secret: secret, "email": person.email, "password": secret})
    content = f'{{"email": "{person.email}", "password": "{secret}"'
    canary.request("POST", "login/", content=content, headers={"Content-Type": "application/json"})
    canary.request("POST", "login/", data={"email": person.email, "password": secret})
    canary.request("POST", "login/", headers={"Authorization": f"Basic {secret}"})
    canary.request("POST", "login/", headers={"Cookie": f"__Host-access={secret}"})
    canary.delete(f"sessions/{secret}/", person.access)
    canary.confirm(secret, secret)
    canary.refresh(secret, key=secret)


def test_secret_in_the_wrong_place_is_not_kept_or_logged(canary: Canary) -> None:
    person = new_person()
    canary.sign_up(person)
    secret = passphrase().replace(" ", "-")
    canary.noted.add(secret)
    misplace(canary, person, secret)
    expect(canary.login(person), 200)
    assert_nothing_leaked(canary.server, canary, at_least=15, witness=person.email)
