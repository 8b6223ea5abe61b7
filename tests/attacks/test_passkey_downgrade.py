"""Somebody who relayed a TOTP code changes the factors of an account that has a passkey.

Attacker: has a session and a fresh TOTP proof, as a phishing site gets them. Move: binds a factor of their own, removes
or renames the owner's, makes recovery codes; also finishes what was begun before the passkey was bound. Refusal:
`reauthentication_required` with `acr_values="phr"` until a passkey is shown, or a recovery code, which is the way out
of a lost key.
"""

from collections.abc import Callable

import httpx
import pytest

from tests import passkeys
from tests.attacks.evidence import claims
from tests.authenticator import Authenticator
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.passkeys import Passkey
from tests.server import Server

Move = Callable[[Client, Person, str], httpx.Response]
MOVES: dict[str, Move] = {
    "begin an app": lambda c, p, key: c.post("mfa/totp/", {}, p.access),
    "begin a passkey": lambda c, p, key: c.post("mfa/webauthn/options/", token=p.access),
    "remove": lambda c, p, key: c.delete(f"mfa/{key}/", p.access),
    "rename": lambda c, p, key: c.request("PATCH", f"mfa/{key}/", p.access, json={"name": "x"}),
    "recovery codes": lambda c, p, key: c.post("mfa/recovery-codes/", token=p.access),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_code_does_not_change_the_factors_beside_a_passkey(client: Client, move: Move) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    client.sign_in(person)
    held = expect(client.get("mfa/", person.access), 200)
    answer = move(client, person, held["authenticators"][0]["id"])
    assert code_of(answer) == "reauthentication_required"
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="phr"' in challenge
    assert expect(client.get("mfa/", person.access), 200) == held
    passkeys.step_up(client, person, passkey)
    assert move(client, person, held["authenticators"][0]["id"]).is_success


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_session_that_bound_the_passkey_has_shown_it(client: Client, move: Move) -> None:
    """Until its proof is old: then a code is as little as anywhere."""
    person = client.sign_up()
    passkeys.add_passkey(client, person)
    app = expect(client.get("mfa/", person.access), 200)["authenticators"][0]["id"]
    assert move(client, person, app).is_success
    again = {"method": "totp", "code": person.code()}
    proved = client.post("reauthenticate/", again, person.access)
    if proved.is_success:  # the app is still there
        person.access = proved.json()["access"]
        assert code_of(client.post("mfa/recovery-codes/", token=person.access)) == "reauthentication_required"


def test_recovery_code_is_the_way_out_of_a_lost_key(client: Client) -> None:
    person = client.sign_up()
    passkeys.add_passkey(client, person)
    client.recover(person)
    lost = expect(client.get("mfa/", person.access), 200)["authenticators"][1]
    expect(client.delete(f"mfa/{lost['id']}/", person.access), 204)
    client.sign_in(person)
    passkeys.add_passkey(client, person)  # and from here on a code suffices again, until then


def test_what_was_begun_before_the_passkey_is_not_finished_with_a_code(
    new_client: Callable[..., Client],
) -> None:
    client, elsewhere = new_client(), new_client()
    person = client.sign_up()
    thief = Person(person.email, authenticator=person.authenticator)
    elsewhere.sign_in(thief)
    begun = expect(elsewhere.post("mfa/totp/", {}, thief.access), 201)
    creation = passkeys.creation_options(elsewhere, thief)
    passkeys.add_passkey(client, person)
    code = Authenticator(begun["secret"]).code()
    answer = elsewhere.post(f"mfa/totp/{begun['id']}/confirm/", {"code": code}, thief.access)
    assert code_of(answer) == "reauthentication_required"
    made = Passkey(client.server.origin).make(creation)
    assert code_of(passkeys.bind(elsewhere, thief, made)) == "reauthentication_required"
    assert len(expect(client.get("mfa/", person.access), 200)["authenticators"]) == 2


BIND = """
    import threading, time
    from django.db import transaction
    from mfa.models import Passkey
    begun = threading.Event()
    def bind():
        with transaction.atomic():
            pending.lock_account({user!r})
            begun.set()
            time.sleep(1)
            Passkey.objects.create(user_id={user!r}, credential_id={user!r}, public_key=b"",
                                   sign_count=0, backup_eligible=False, backed_up=False)
            pending.bump_credentials({user!r})
    threading.Thread(target=bind).start()
    begun.wait(2)
"""


def test_code_that_waited_for_the_first_passkey_removes_nothing_beside_it(
    server: Server, client: Client
) -> None:
    """What a statement that waits for a lock tells of other tables is as old as its beginning."""
    person = client.sign_up()
    user = claims(person.access)["sub"]
    app = expect(client.get("mfa/", person.access), 200)["authenticators"][0]
    session = f"Session.objects.get(pk={person.session_id!r})"
    grant = f"Grant(User.objects.get(pk={user!r}), session={session}, amr=('otp',))"
    answer = outcome(
        server,
        f"inventory.remove_authenticator(grant={grant}, authenticator_id={app['id']!r}, source=source)",
        before="secure_auth.grants.judge_right",
        meanwhile=BIND.format(user=user),
        address=new_address(),
    )
    # on SQLite the passkey waits, and the app is the last authenticator
    assert answer == (
        "reauthentication_required" if "DATABASE_URL" in server.environment else "last_authenticator"
    )
    assert server.rows("SELECT id FROM mfa_totpauthenticator WHERE user_id = %s", [user]) == [(app["id"],)]
