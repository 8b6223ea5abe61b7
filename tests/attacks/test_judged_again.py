"""Somebody's right ends in the middle of the request that it opened.

Attacker: an admin who is found out, the thief of a session that its owner ends. Move: a request that makes an
accomplice's account, deletes the owner's, sets a password or moves the address was let in and hashes. Refusal: the
right is judged again under the lock; nothing is done and no code is used up.
"""

from collections.abc import Callable

import pytest

from tests.attacks.evidence import claims, events
from tests.attacks.mails import wait_for_link
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.server import Server

NewClient = Callable[..., Client]
NEW_PASSWORD = "an entirely new passphrase 77"
ENDS = {
    "logout": "sessions.end_session(session, reason='logout', now=timezone.now())",
    "elsewhere": "pending.bump_credentials(user.pk)",  # a password or factor changed in this session
}
USES = {
    "personal.delete_account({who}, current_password={password!r}, source=source)": "account.delete",
    "accounts.change_password({who}, current_password={password!r}, new_password={new!r}, source=source)": (
        "password.change"
    ),
    "address_change.request_change({who}, current_password={password!r}, new_email={email!r}, source=source)": (
        "address.request"
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("use", USES)
def test_what_a_password_opened_is_not_done_once_the_session_or_a_secret_is_over(
    server: Server, client: Client, use: str, end: str
) -> None:
    person = client.create_person()
    user = claims(person.access)["sub"]
    who = f"user=User.objects.get(pk={user!r}), session=Session.objects.get(pk={person.session_id!r})"
    call = use.format(who=who, password=person.password, new=NEW_PASSWORD, email=new_email())
    came = f"user, session = User.objects.get(pk={user!r}), Session.objects.get(pk={person.session_id!r}); {ENDS[end]}"
    before = "secure_auth.passwords.check_password"
    assert outcome(server, call, before=before, meanwhile=came, address=new_address()) == "invalid_token"
    (event,) = events(server, user=user, type=USES[use])
    assert (event.outcome, event.reason) == ("failure", "credential_changed")
    expect(client.login(person), 200)
    assert server.rows("SELECT 1 FROM secure_auth_addresschange WHERE user_id = %s", [user]) == []


def test_code_is_not_used_up_once_the_session_is_over(server: Server, client: Client) -> None:
    person = client.create_person()
    user, code = claims(person.access)["sub"], person.recovery_codes[0]
    who = f"user=User.objects.get(pk={user!r}), session=Session.objects.get(pk={person.session_id!r})"
    factor = f"factor=SecondFactor('recovery_code', code={code!r})"
    answer = outcome(
        server,
        f"login.reauthenticate({who}, {factor}, password='', source=source)",
        before="secure_auth.second_factor.judge",
        meanwhile=f"session = Session.objects.get(pk={person.session_id!r}); {ENDS['logout']}",
        address=new_address(),
    )
    assert answer == "invalid_token"
    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.verify(partial, code, "recovery_code"), 200)


@pytest.mark.parametrize("end", ["disabled", "demoted"])
@pytest.mark.parametrize("is_late", [False, True], ids=["before", "meanwhile"])
def test_invitation_falls_with_the_admin_who_gave_it(
    server: Server, new_client: NewClient, end: str, is_late: bool
) -> None:
    rogue, client, email = new_client(), new_client(), new_email("accomplice")
    admin = rogue.create_person(role="admin")
    body = {"email": email, "reason": "a test"}
    expect(rogue.post("admin/invitations/", body, admin.access), 201)
    token = wait_for_link(client, Person(email), "invited")
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    fall = {
        "disabled": f"administration.disable(user=administration.find_user({admin.email!r}), actor=command)",
        "demoted": (
            f"administration.set_role(user=administration.find_user({admin.email!r}), role=Role.NONE, actor=command)"
        ),
    }[end]
    if is_late:
        call = f"invitations.accept(token={token!r}, email='', password={PASSWORD!r}, source=source)"
        before = "secure_auth.passwords.hash_password"
        assert outcome(server, call, before=before, meanwhile=fall, address=new_address()) == "invalid_link"
    else:
        server.manage(*(("disable", admin.email) if end == "disabled" else ("set_role", admin.email, "none")))
    again = {"invitation": token, "password": PASSWORD}
    assert code_of(client.post("register/", again)) == "invalid_link"
    assert server.rows("SELECT 1 FROM secure_auth_user WHERE email = %s", [email]) == []
