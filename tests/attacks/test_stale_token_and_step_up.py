"""The thief of an access token waits until its owner reauthenticates.

Attacker: holds an access token whose login is no longer fresh. Move: tries again after the owner's step-up. Refusal:
freshness is the token's, so only the token that the owner got by reauthenticating is fresh.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tests import passkeys
from tests.attacks.evidence import claims
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.server import Server, running_server


def test_older_token_changes_no_factor_when_its_owner_shows_a_passkey(
    server: Server, new_client: Callable[..., Client]
) -> None:
    """Fresh, but of a code that a phishing site could have relayed: the session's passkey counts for its own token."""
    owner, thief = new_client(), new_client()
    person = owner.sign_up()
    passkey = passkeys.add_passkey(owner, person)
    owner.sign_in(person)
    stolen = person.access
    assert code_of(thief.post("mfa/totp/", {}, stolen)) == "reauthentication_required"
    passkeys.step_up(owner, person, passkey)
    for path in ("mfa/totp/", "mfa/recovery-codes/", "mfa/webauthn/options/"):
        assert code_of(thief.post(path, {}, stolen)) == "reauthentication_required"
    expect(owner.post("mfa/totp/", {}, person.access), 201)


def test_older_token_stays_stale_when_its_owner_reauthenticates(tmp_path: Path) -> None:
    with running_server(
        "sqlite", tmp_path, worker=False, environment={"REAUTHENTICATION_SECONDS": "1"}
    ) as server:
        owner, thief = Client(server, new_address()), Client(server, new_address())
        person = owner.create_person()
        stolen = person.access
        while time.time() <= claims(stolen)["auth_time"] + 2:
            time.sleep(0.1)
        assert code_of(thief.post("mfa/recovery-codes/", {}, stolen)) == "reauthentication_required"
        change = {"current_password": person.password, "new_email": "thief@example.org"}
        assert code_of(thief.post("email/change/", change, stolen)) == "reauthentication_required"
        body = {"method": "recovery_code", "code": person.recovery_codes[0]}
        fresh = expect(owner.post("reauthenticate/", body, stolen), 200)["access"]
        assert code_of(thief.post("mfa/recovery-codes/", {}, stolen)) == "reauthentication_required"
        assert claims(fresh)["auth_time"] > claims(stolen)["auth_time"]
        owner.close()
        thief.close()
