"""`rotate_keys --purpose digest` under load on several nodes: nobody and nothing is lost, and the old key ends last."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address, scaled
from tests.server import TESTED_BACKENDS, Server, running_server
from tests.visitor import Visitor

LEAD_SECONDS, CACHE_SECONDS = 4, 1
SETTINGS = {
    "KEY_CACHE_SECONDS": str(CACHE_SECONDS),
    "JWKS_MAX_AGE_SECONDS": str(LEAD_SECONDS),
    "LIMIT_REQUESTS": "100000/min",
    "LIMIT_REFRESH": "10000/min",
    "LIMIT_PASSWORD_SOURCE": "10000/min",
    "LIMIT_PASSWORD_DEVICE_ATTEMPTS": "10000/min",
}
LOCKED = "temporarily_locked"
PRUNE = "from secure_auth.worker import prune; prune()"
LONG_AGO = "2020-01-01 00:00:00+00:00"


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two nodes where the database can be shared; keys may follow each other quickly."""
    nodes = 1 if request.param == "sqlite" else 2
    directory = tmp_path_factory.mktemp("digests")
    with running_server(request.param, directory, nodes=nodes, worker=False, environment=SETTINGS) as running:
        yield running


@pytest.fixture
def on(service: Server) -> Iterator[Callable[..., Client]]:
    """Makes a client of a node, at an address of its own unless one is given."""
    made: list[Client] = []

    def make(node: int = 0, address: str = "") -> Client:
        made.append(Client(service, address or new_address(), node=node % len(service.nodes)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ring(service: Server) -> dict[str, list[str]]:
    """The digest keys by state, in the order of their activation."""
    found = service.rows(
        "SELECT state, kid FROM secure_auth_key WHERE purpose = 'digest' ORDER BY activated_at"
    )
    states: dict[str, list[str]] = {"next": [], "active": [], "retired": [], "gone": []}
    for state, kid in found:
        states[state].append(kid)
    return states


def rotate(service: Server) -> str:
    """As soon as the next key is old enough; what the command told."""
    deadline = time.monotonic() + 30
    while True:
        done = service.manage("rotate_keys", "--purpose", "digest", check=False)
        if done.returncode == 0:
            return done.stdout
        assert "the next digest key is too young" in done.stderr, done.stderr
        assert time.monotonic() < deadline
        time.sleep(0.5)


def enter(client: Client, person: Person) -> Any:
    """Both steps with the device's token and a recovery code; new codes before they run out."""
    client.recover(person, remember_device=True)
    if len(person.recovery_codes) < 3:
        fresh = expect(client.post("mfa/recovery-codes/", None, person.access), 200)
        person.recovery_codes = fresh["recovery_codes"]


def introspect(client: Client, token: str, credentials: dict[str, str]) -> httpx.Response:
    basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])
    return client.post("token/introspect/", {"token": token}, auth=basic)


class Browser:
    """Signed in by cookies once, and never given a new CSRF token."""

    def __init__(self, client: Client, person: Person) -> None:
        self.client, delivery = client, {"X-Token-Delivery": "cookie", "Origin": client.server.origin}
        body = {"email": person.email, "password": person.password}
        client.post("login/", body, headers=delivery)
        self.own = {**delivery, "X-CSRF-Token": client.http.cookies["__Host-csrf"]}
        shown = {"method": "recovery_code", "code": person.recovery_codes.pop()}
        expect(self.send("POST", "login/verify/", json=shown), 200)
        self.own["X-CSRF-Token"] = client.http.cookies["__Host-csrf"]

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        sent = "; ".join(f"{name}={value}" for name, value in self.client.http.cookies.items())
        return self.client.request(method, path, headers={**self.own, "Cookie": sent}, **options)

    def act(self) -> None:
        """Something unsafe that a cookie opens, as long as its CSRF token is taken."""
        assert code_of(self.send("DELETE", f"devices/{'0' * 8}-0000-7000-8000-{'0' * 12}/")) == "not_found"


class Load:
    """Everybody acts again and again, each in a thread, on all nodes in turn; what went wrong is kept."""

    def __init__(self) -> None:
        self.acts: list[Callable[[int], None]] = []
        self.faults: list[str] = []
        self.stop = threading.Event()

    def __enter__(self) -> "Load":
        self.turns = [0] * len(self.acts)
        self.threads = [
            threading.Thread(target=self._repeat, args=(number,)) for number in range(len(self.acts))
        ]
        for thread in self.threads:
            thread.start()
        return self

    def _repeat(self, number: int) -> None:
        while not self.stop.is_set():
            try:
                self.acts[number](self.turns[number])
            except (AssertionError, httpx.HTTPError) as fault:
                self.faults.append(f"{self.acts[number].__name__}: {fault!r}")
            self.turns[number] += 1
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_rotations_under_load_lose_nothing(service: Server, on: Callable[..., Client]) -> None:
    first = on()
    tabs = [on(0), on(1)]
    refreshing, kept = first.create_person(), first.create_person()
    away = [on(number, first.address) for number in range(2)]
    known = first.create_person()
    enter(first, known)
    credentials = json.loads(service.manage("create_client", new_email("service")).stdout)
    browsing = first.create_person()
    browser = Browser(on(0, first.address), browsing)  # of a network that is familiar
    load, sessions = Load(), {refreshing.session_id, kept.session_id}

    def refresh_twice(turn: int) -> None:
        """The same request to both nodes: the double is answered the same successor."""
        key = secrets.token_urlsafe(24)
        pairs = [expect(tabs[(turn + n) % 2].refresh(refreshing.refresh, key=key), 200) for n in range(2)]
        assert len({claims(pair["refresh"])["jti"] for pair in pairs}) == 1
        refreshing.keep(pairs[turn % 2])

    def sign_in(turn: int) -> None:
        enter(away[turn % 2], known)

    def ask(turn: int) -> None:
        assert expect(introspect(tabs[turn % 2], kept.access, credentials), 200)["active"]

    def act(_: int) -> None:
        browser.act()

    load.acts = [refresh_twice, sign_in, ask, act]
    before = ring(service)
    with load:
        for _ in range(scaled(2, 6)):
            told = rotate(service)
            time.sleep(2 * CACHE_SECONDS)
    now = ring(service)
    assert load.faults == []
    assert min(load.turns) > 5
    assert now["retired"][: len(before["active"])] == before["active"]
    assert f"digest: active {now['active'][0]}, next {now['next'][0]}" in told
    kept.keep(expect(tabs[1].refresh(kept.refresh), 200))
    assert {kept.session_id, refreshing.session_id} == sessions
    assert all(one.reason == "rotation" for one in events(service, type="key.rotate"))
    assert not [one for one in events(service, type="session.open") if one.details.get("new_device")]
    device, used = known.device_token.partition(".")[0], now["active"][0]
    assert service.rows("SELECT key_id FROM secure_auth_knowndevice WHERE id = %s", [device]) == [(used,)]
    own = [credentials["client_id"]]
    assert service.rows("SELECT key_id FROM secure_auth_client WHERE id = %s", own) == [(used,)]


def test_a_clients_secret_that_was_replaced_meanwhile_is_not_brought_back(
    service: Server, on: Callable[..., Client]
) -> None:
    """Between the look at an old secret and its new digest comes `create_client --rotate`."""
    name, client = new_email("service"), on()
    old = json.loads(service.manage("create_client", name).stdout)
    rotate(service)
    race = f"""
from audit.events import SYSTEM
from secure_auth import clients
from secure_auth.acting import Actor
from secure_auth.models import Client
read = Client.objects.get(pk={old["client_id"]!r})
print(clients.create_client(name={name!r}, rotate=True, actor=Actor(SYSTEM)).client_secret)
clients._move_on(read, {old["client_secret"]!r})
"""
    secret = service.manage("shell", "--no-imports", "-c", race).stdout.strip()
    access = client.create_person().access
    assert introspect(client, access, old).status_code == 401
    assert expect(introspect(client, access, {**old, "client_secret": secret}), 200)["active"]


def test_device_whose_answer_was_lost_is_known_after_a_rotation(
    service: Server, on: Callable[..., Client]
) -> None:
    client = on()
    person = client.create_person()
    enter(client, person)
    before = person.device_token
    rotate(service)
    time.sleep(CACHE_SECONDS + 0.5)
    enter(client, person)
    person.device_token = before  # the answer with the new one never came
    enter(client, person)
    assert before.partition(".")[0] == person.device_token.partition(".")[0] != ""
    assert before != person.device_token


def test_locks_of_accounts_outlive_a_rotation(service: Server, on: Callable[..., Client]) -> None:
    client = on()
    person, nobody = client.create_person(), Person(new_email("nobody"))
    for one in (person, nobody):
        codes = [code_of(client.login(one, "not this one, surely")) for _ in range(12)]
        assert codes[-1] == LOCKED
    rotate(service)
    time.sleep(CACHE_SECONDS + 0.5)
    for one in (person, nobody):
        assert code_of(client.login(one)) == LOCKED
        standing = json.loads(service.manage("limits", "show", one.email, "--json").stdout)
        assert "password_account_source" in json.dumps(standing)


def test_form_that_was_open_before_is_taken(service: Server, on: Callable[..., Client]) -> None:
    person = on().create_person()
    visitor = Visitor(service, new_address())
    visitor.open("/sign-in/")
    rotate(service)
    time.sleep(CACHE_SECONDS + 0.5)
    page = visitor.fill(email=person.email, password=person.password)
    assert page.status == 200
    assert "code" in page.form("code").names
    visitor.close()


def test_mailed_link_from_before_is_good(service: Server, on: Callable[..., Client]) -> None:
    client, person = on(), on().create_person()
    expect(client.post("password/reset/", {"email": person.email}), 202)
    derive = (
        "from secure_auth import links; from secure_auth.models import MailToken; "
        f"print(links.derive_token(MailToken.objects.get(user__email='{person.email}', purpose='reset')))"
    )
    token = service.manage("shell", "--no-imports", "-c", derive).stdout.strip()
    rotate(service)
    assert service.manage("shell", "--no-imports", "-c", derive).stdout.strip() == token
    changed = {"token": token, "new_password": "another long passphrase 77"}
    expect(client.post("password/reset/confirm/", changed), 204)


def test_key_is_destroyed_when_nothing_bears_it_and_not_before(
    service: Server, on: Callable[..., Client]
) -> None:
    """All that bears the old key moves on, code by code; what is left over from other tests is put out of the way."""
    client = on()
    person = client.create_person()
    enter(client, person)
    credentials = json.loads(service.manage("create_client", new_email("service")).stdout)
    old = ring(service)["active"][0]
    rotate(service)
    time.sleep(CACHE_SECONDS + 0.5)
    (rotated,) = [one for one in events(service, type="key.rotate") if one.details["secrets"] >= 10][-1:]
    assert rotated.details["purpose"] == "digest"
    service.rows("UPDATE secure_auth_key SET retired_at = %s WHERE kid = %s", [LONG_AGO, old])
    prune(service)
    assert old in ring(service)["retired"], "recovery codes, a device and a client bear it"
    service.rows("UPDATE secure_auth_mailtoken SET used_at = %s", [LONG_AGO])
    for table in ("mfa_recoverycode", "secure_auth_knowndevice"):
        others = f"DELETE FROM {table} WHERE user_id <> %s"
        service.rows(others, [claims(person.access)["sub"]])
    for _ in range(2):
        enter(client, person)
    expect(introspect(client, person.access, credentials), 200)
    prune(service)
    assert old in ring(service)["retired"], "recovery codes bear it"
    fresh = expect(client.post("mfa/recovery-codes/", None, person.access), 200)
    person.recovery_codes = fresh["recovery_codes"]
    others = "UPDATE secure_auth_client SET revoked_at = %s WHERE id <> %s"
    service.rows(others, [LONG_AGO, credentials["client_id"]])
    prune(service)
    assert old in ring(service)["gone"]
    (destroyed,) = [one for one in events(service, type="key.destroy") if one.details["key_id"] == old]
    assert (destroyed.reason, destroyed.details["purpose"]) == ("expired", "digest")
    time.sleep(CACHE_SECONDS + 0.5)
    person.keep(expect(client.refresh(person.refresh), 200))
    device = person.device_token.partition(".")[0]
    enter(client, person)
    assert person.device_token.partition(".")[0] == device
    assert expect(introspect(client, person.access, credentials), 200)["active"]


def prune(service: Server) -> None:
    """What the worker does from time to time."""
    service.manage("shell", "--no-imports", "-c", PRUNE)
