"""The signing key is stolen: its thief writes tokens of whatever claims.

Attacker: holds the private key, knows ids of sessions and accounts. Moves: a forged refresh token of a live session;
forged tokens after `rotate_keys --compromised`. Refusal: a refresh token's jti needs the digest ring too, so no session
is taken over and none is ended by a forged one; from the drill on, nothing of that key opens anything.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import jwt
import pytest

from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.server import Server, running_server

STEAL = """
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from secure_auth import keys
key = keys.ring("signing").active
print(key.kid)
print(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
"""


@pytest.fixture(scope="module", params=["sqlite", "postgres+redis"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(request.param, tmp_path_factory.mktemp("stolen"), worker=False) as running:
        yield running


def forge(pem: str, kid: str, genuine: str, **claims: object) -> str:
    """A token with the thief's claims over those of a genuine one."""
    body = jwt.decode(genuine, options={"verify_signature": False})
    header = {"kid": kid, "typ": jwt.get_unverified_header(genuine)["typ"]}
    return jwt.encode(body | claims, pem, algorithm="ES256", headers=header)


def test_signing_key_alone_takes_over_no_session(service: Server) -> None:
    client = Client(service, new_address())
    person = client.create_person()
    kid, _, pem = service.manage("shell", "--no-imports", "-c", STEAL).stdout.partition("\n")
    attempts: list[dict[str, object]] = [
        {"jti": "0" * 32},
        {"jti": "0" * 32, "gen": 7},
        {"gen": 1},
        {"gen": -1},
    ]
    for claims in attempts:
        assert code_of(client.refresh(forge(pem, kid, person.refresh, **claims))) == "invalid_token"
    person.keep(expect(client.refresh(person.refresh), 200))
    expect(client.me(forge(pem, kid, person.access, jti="x")), 200)
    service.manage("rotate_keys", f"--compromised={kid}")
    late = int(time.time()) + 200
    assert code_of(client.me(forge(pem, kid, person.access, exp=late))) == "invalid_token"
    assert code_of(client.refresh(forge(pem, kid, person.refresh, exp=late))) == "invalid_token"
    client.close()


def test_drills_at_once_kill_the_key_once(service: Server) -> None:
    before = states(service)
    kid = service.rows("SELECT kid FROM secure_auth_key WHERE purpose = 'signing' AND state = 'active'")[0][0]

    def drill(_: int) -> "CompletedProcess[str]":
        return service.manage("rotate_keys", f"--compromised={kid}", check=False)

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(drill, range(3)))
    assert 0 in [
        one.returncode for one in done
    ]  # others too, where they found sessions that had not ended yet
    assert all("Traceback" not in one.stderr for one in done)
    assert states(service) == {**before, "gone": before.get("gone", 0) + 1}


def test_worker_that_is_shown_a_dead_token_signs_no_more_of_them(tmp_path: Path) -> None:
    """Else people sign in for nothing until it has read its ring again."""
    with running_server("sqlite", tmp_path, environment={"SERVER_WORKERS": "1"}) as service:
        client = Client(service, new_address())
        person = client.create_person()
        for _ in range(2):  # shown a refresh token, then a partial one
            partial = expect(client.login(person), 200)["partial_token"]
            kid = jwt.get_unverified_header(partial)["kid"]
            service.manage("rotate_keys", f"--compromised={kid}")
            is_signed = kid == jwt.get_unverified_header(person.refresh)["kid"]
            shown = client.refresh(person.refresh) if is_signed else client.verify(partial, "000000")
            assert code_of(shown) == "invalid_token"
            after = expect(client.login(person), 200)["partial_token"]
            assert jwt.get_unverified_header(after)["kid"] != kid
        client.close()


def states(service: Server) -> dict[str, int]:
    """How many signing keys are in which state."""
    found = service.rows(
        "SELECT state, count(*) FROM secure_auth_key WHERE purpose = 'signing' GROUP BY state"
    )
    return {str(state): int(count) for state, count in found}
