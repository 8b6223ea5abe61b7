"""An admin who is shut out while requests of theirs wait behind the one that does it.

Attacker: an admin who is found out. Move: `enable` of the own account, many times at the moment at which another
admin disables it; any action on others whose request came before the end. Refusal: the right is judged again under the
lock of all admins; who was disabled, demoted or signed out does nothing, and stays so.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.evidence import claims, events
from tests.attacks.mails import wait_for_link
from tests.attacks.test_admin_power import Admin, act, id_of
from tests.attacks.volley import fire
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address, scaled
from tests.meanwhile import outcome
from tests.server import Server

NewClient = Callable[..., Client]
AT_ONCE = 14
FIND = "administration.find_user({email!r})"
ENDS = {
    "disabled": (f"administration.disable(user={FIND}, actor=command)", "invalid_token"),
    "demoted": (
        f"administration.set_role(user={FIND}, role=Role.NONE, actor=command)",
        "permission_denied",
    ),
    "signed out": (f"administration.revoke_sessions(user={FIND}, actor=command)", "invalid_token"),
}


def test_disabled_admin_opens_the_own_account_no_more(
    server: Server, new_client: NewClient, admin: Admin
) -> None:
    desk = new_client()
    rogue = desk.create_person(role="admin")
    rogue_id = id_of(desk, rogue)
    for _ in range(scaled(3, 9)):  # each takes one of ten recovery codes
        office, boss = admin()
        desk.recover(rogue)
        undo = [partial(act, desk, rogue, rogue_id, "enable") for _ in range(AT_ONCE)]
        seen = fire([partial(act, office, boss, rogue_id, "disable"), *undo])
        assert seen[0] == "done"
        assert set(seen[1:]) <= {"validation_failed", "invalid_token"}
        assert code_of(desk.login(rogue)) == "invalid_credentials"
        assert act(office, boss, rogue_id, "enable") == "done"


@pytest.mark.parametrize("end", ENDS)
def test_request_of_an_admin_who_fell_meanwhile_does_nothing(
    server: Server, client: Client, new_client: NewClient, admin: Admin, end: str
) -> None:
    admin()  # another one, who is left
    rogue, victim = client.create_person(role="admin"), new_client().sign_up()
    rogue_id, victim_id = id_of(client, rogue), claims(victim.access)["sub"]
    who = f"Actor(source, user_id={rogue_id!r}, session_id={rogue.session_id!r}, reason='spite')"
    fall, refusal = ENDS[end]
    answer = outcome(
        server,
        f"administration.act('disable', user_id={victim_id!r}, actor={who})",
        before="django.db.transaction.atomic",
        meanwhile=fall.format(email=rogue.email),
        address=new_address(),
    )
    assert answer == refusal
    assert events(server, user=victim_id, type="account.disable") == []
    kind = "permission.denied" if end == "demoted" else "token.refused"
    assert [event.session for event in events(server, user=rogue_id, type=kind)] == [rogue.session_id]
    expect(client.login(victim), 200)


@pytest.mark.parametrize("end", ENDS)
def test_who_fell_meanwhile_invites_nobody_and_takes_no_invitation_back(
    server: Server, client: Client, end: str
) -> None:
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    rogue, email, invited = client.create_person(role="admin"), new_email("accomplice"), new_email()
    server.manage("invite", invited)
    ((made,),) = server.rows("SELECT id FROM secure_auth_invitation WHERE email = %s", [invited])
    who = f"Actor(source, user_id={id_of(client, rogue)!r}, session_id={rogue.session_id!r}, reason='spite')"
    fall, refusal = ENDS[end]
    for call in (
        f"invitations.invite(email={email!r}, role='auditor', actor={who})",
        f"invitations.revoke(invitation_id={made!r}, actor={who})",
    ):
        answer = outcome(
            server,
            call,
            before="django.db.transaction.atomic",
            meanwhile=fall.format(email=rogue.email) if "invite(" in call else "pass",
            address=new_address(),
        )
        assert answer == refusal
    assert server.rows("SELECT 1 FROM secure_auth_invitation WHERE email = %s", [email]) == []
    revoked = "SELECT revoked_at FROM secure_auth_invitation WHERE id = %s"
    assert server.rows(revoked, [made]) == [(None,)]


def test_who_is_no_auditor_any_more_acknowledges_nothing(server: Server, client: Client) -> None:
    auditor = client.create_person(role="auditor")
    user = claims(auditor.access)["sub"]
    signed = f"User.objects.get(pk={user!r}), Session.objects.get(pk={auditor.session_id!r}), 0, '', ()"
    call = f"access.Signed({signed}), detection_id='x', note='harmless', source=source"
    answer = outcome(
        server,
        f"detections.acknowledge(signed={call})",
        before="django.db.transaction.atomic",
        meanwhile=f"User.objects.filter(pk={user!r}).update(role=Role.NONE)",
        address=new_address(),
    )
    assert answer == "permission_denied"


def test_who_is_shut_out_lets_nobody_in_afterwards(server: Server, client: Client) -> None:
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    rogue, guest = client.create_person(role="admin"), Person(new_email("accomplice"))
    expect(client.post("admin/invitations/", {"email": guest.email, "reason": "a test"}, rogue.access), 201)
    token = wait_for_link(client, guest, "invited")
    rogue_id, fall = id_of(client, rogue), ENDS["disabled"][0].format(email=rogue.email)
    begin = f"global fall; fall = threading.Thread(target=lambda: {fall}); fall.start(); time.sleep(1.5)"
    answer = outcome(
        server,
        f"invitations.accept(token={token!r}, email='', password={PASSWORD!r}, source=source); fall.join()",
        before="secure_auth.links.spend_link",
        meanwhile=f"import threading, time; {begin}",
        address=new_address(),
    )
    assert answer == "done"
    (accepted,) = server.rows("SELECT id FROM secure_auth_user WHERE email = %s", [guest.email])
    (confirmed,) = events(server, user=accepted[0], type="account.confirm")
    (disabled,) = events(server, user=rogue_id, type="account.disable")
    assert confirmed.id < disabled.id
