"""The thief of an access token waits until its owner reauthenticates.

Attacker: holds an access token whose login is no longer fresh. Move: tries again after the owner's step-up. Refusal:
freshness is the token's, so only the token that the owner got by reauthenticating is fresh.
"""

import time
from pathlib import Path

from tests.attacks.evidence import claims
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.server import running_server


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
