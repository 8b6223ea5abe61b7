"""An older digest key and the signing key are stolen: their thief writes tokens that this service would write.

Attacker: holds a digest key that was retired since, or is gone, and the signing key; knows ids of sessions and devices.
Moves: refresh tokens of a live session and its generation, a token of a known device, by the old key.
Refusal: a session keeps the key under which it was opened, a device the one of its last tokens; what another key made
opens nothing, rotates nothing, and raises no alarm that would put the owner out.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import pytest

from tests.attacks.evidence import claims, events
from tests.attacks.test_stolen_signing_key import STEAL, forge
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address
from tests.server import TESTED_BACKENDS, Server, running_server

SETTINGS = {"KEY_CACHE_SECONDS": "1", "JWKS_MAX_AGE_SECONDS": "2"}
STEAL_DIGEST = 'from secure_auth import keys; print(keys.ring("digest").active.secret.hex())'
PRUNE = "from secure_auth.worker import prune; prune()"


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("stolen-digests")
    with running_server(request.param, directory, worker=False, environment=SETTINGS) as running:
        yield running


def run(service: Server, code: str) -> str:
    return service.manage("shell", "--no-imports", "-c", code).stdout.strip()


def rotate(service: Server) -> None:
    service.rows("UPDATE secure_auth_key SET created_at = '2020-01-01 00:00:00+00:00' WHERE state = 'next'")
    service.manage("rotate_keys", "--purpose", "digest")
    time.sleep(1.5)  # until every worker has read the ring again


def digest(key: bytes, *parts: str) -> str:
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def attack(client: Client, person: Person, stolen: bytes, kid: str, pem: str) -> None:
    """Everything that the old key makes, for what is alive under the new one."""
    for generation in range(4):
        made = digest(stolen, "refresh", person.session_id, str(generation))[:32]
        forged = forge(pem, kid, person.refresh, gen=generation, jti=made)
        assert code_of(client.refresh(forged)) == "invalid_token"
        assert code_of(client.refresh(forged, key="thief" * 5)) == "invalid_token"
    device = person.device_token.partition(".")[0]
    found = client.server.rows("SELECT generation FROM secure_auth_knowndevice WHERE id = %s", [device])
    thief = Person(person.email, person.password)
    for number in range(int(found[0][0]) + 1):
        thief.device_token = f"{device}.{digest(stolen, 'device', device, str(number))[:43]}"
        partial = expect(client.login(thief), 200)["partial_token"]
        login = claims(partial)["jti"]
        found = client.server.rows("SELECT device_id FROM secure_auth_pendinglogin WHERE id = %s", [login])
        assert found == [("",)], "no lane for a token of the old key"


def assert_unharmed(client: Client, person: Person) -> None:
    person.keep(expect(client.refresh(person.refresh), 200))
    alarms = [one for one in events(client.server, session=person.session_id) if one.severity == "high"]
    assert alarms == []
    reused = events(client.server, type="token.reuse")
    assert reused == []


def test_old_key_opens_nothing_and_raises_no_alarm(service: Server) -> None:
    client = Client(service, new_address())
    person = client.create_person()
    kid, _, pem = run(service, STEAL).partition("\n")
    stolen = bytes.fromhex(run(service, STEAL_DIGEST))
    before = person.session_id
    assert claims(person.refresh)["jti"] == digest(stolen, "refresh", before, "0")[:32]
    rotate(service)
    for _ in range(2):  # the token before the last is by the new key as well
        client.recover(person, remember_device=True)
    person.keep(expect(client.refresh(person.refresh), 200))
    attack(client, person, stolen, kid, pem)
    assert_unharmed(client, person)

    service.manage("revoke_sessions", person.email)
    old_refresh = person.refresh
    client.recover(person)
    fresh = expect(client.post("mfa/recovery-codes/", None, person.access), 200)
    person.recovery_codes = fresh["recovery_codes"]
    service.rows(
        "UPDATE secure_auth_key SET retired_at = '2020-01-01 00:00:00+00:00' WHERE state = 'retired'"
    )
    service.rows("UPDATE secure_auth_mailtoken SET used_at = '2020-01-01 00:00:00+00:00'")
    run(service, PRUNE)
    gone = service.rows("SELECT state FROM secure_auth_key WHERE purpose = 'digest' ORDER BY activated_at")
    assert ("gone",) in gone
    time.sleep(1.5)
    attack(client, person, stolen, kid, pem)
    assert code_of(client.refresh(old_refresh)) == "invalid_token"
    assert_unharmed(client, person)
    client.close()
