"""Somebody signed in reaches for what belongs to others.

Attacker: has an account, knows ids of another's session, device and authenticator. Move: ends, forgets, removes,
confirms them, reads events by id. Refusal: `not_found`, as for ids that do not exist; nothing changes.
"""

from collections.abc import Callable

from tests.attacks.evidence import events
from tests.client import Client, code_of, expect
from tests.server import Server


def test_other_peoples_sessions_devices_and_authenticators_are_not_found(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner, attacker = new_client(), new_client()
    victim, thief = owner.sign_up(), attacker.sign_up()
    pending = expect(owner.login(victim), 200)["partial_token"]
    code = victim.recovery_codes[0]
    victim.keep(expect(owner.verify(pending, code, "recovery_code", remember_device=True), 200))
    device = expect(owner.get("devices/", victim.access), 200)["results"][0]["id"]
    factor = expect(owner.get("mfa/", victim.access), 200)["authenticators"][0]["id"]
    begun = expect(owner.post("mfa/totp/", {}, victim.access), 201)["id"]

    paths = [f"sessions/{victim.session_id}/", f"devices/{device}/", f"mfa/{factor}/", f"mfa/{begun}/"]
    for path in [*paths, "sessions/x/", "devices/x/", "mfa/x/"]:
        assert code_of(attacker.delete(path, thief.access)) == "not_found", path
    answer = attacker.post(f"mfa/totp/{begun}/confirm/", {"code": "123456"}, thief.access)
    assert code_of(answer) == "not_found"

    expect(owner.me(victim.access), 200)
    assert len(expect(owner.get("devices/", victim.access), 200)["results"]) == 1
    assert len(expect(owner.get("mfa/", victim.access), 200)["authenticators"]) == 1
    for kind in ("session.revoke", "device.forget", "mfa.remove"):
        assert events(server, type=kind, outcome="failure", ip=attacker.address)


def test_own_activity_and_lists_hold_nothing_of_others(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    victim, thief = owner.sign_up(), attacker.sign_up()
    mine = expect(attacker.me(thief.access), 200)["id"]
    theirs = expect(owner.me(victim.access), 200)["id"]
    listed = expect(attacker.get("me/activity/", thief.access), 200)["results"]
    assert {event["user"] for event in listed} == {mine}
    answer = attacker.get(f"me/activity/?user={theirs}", thief.access)
    assert answer.is_error or {event["user"] for event in answer.json()["results"]} <= {mine}
    sessions = expect(attacker.get("sessions/", thief.access), 200)["results"]
    assert [session["id"] for session in sessions] == [thief.session_id]
