"""Somebody's right ends in the middle of the request that it opened.

Attacker: an admin who is found out, the thief of a session that its owner ends. Move: a request that makes an
accomplice's account, deletes the owner's, sets a password or moves the address was let in and hashes. Refusal: the
right is judged again under the lock; nothing is done and no code is used up.
"""

from collections.abc import Callable

import pytest

from tests import passkeys
from tests.attacks.evidence import claims, events, live_sessions
from tests.attacks.mails import wait_for_link
from tests.authenticator import Authenticator
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


def outcome_once_it_is_over(server: Server, partial: str, factor: str) -> str:
    """Of a second factor whose login ends before it is judged."""
    found = f"PendingLogin.objects.select_related('user').get(pk={claims(partial)['jti']!r})"
    return outcome(
        server,
        f"login.prove_second_factor(found={found}, factor={factor}, remember_device=False, source=source)",
        before="secure_auth.second_factor.accept",
        meanwhile=f"pending.close_pending({found}, now=timezone.now())",
        address=new_address(),
    )


def test_login_that_is_over_while_its_code_is_judged_opens_nothing(server: Server, client: Client) -> None:
    person = client.create_person()
    partial, code = expect(client.login(person), 200)["partial_token"], person.recovery_codes[0]
    assert (
        outcome_once_it_is_over(server, partial, f"SecondFactor('recovery_code', code={code!r})")
        == "invalid_token"
    )
    assert live_sessions(server, claims(person.access)["sub"]) == {person.session_id}
    again = expect(client.login(person), 200)["partial_token"]
    expect(client.verify(again, code, "recovery_code"), 200)


def test_code_of_a_login_that_ended_meanwhile_is_no_wrong_one(server: Server, client: Client) -> None:
    """The double of a request reads the login as it was before the first completed it, and its code is used by then."""
    person = client.create_person()
    assert person.authenticator
    partial, wrong = expect(client.login(person), 200)["partial_token"], person.authenticator.wrong_code()
    assert (
        outcome_once_it_is_over(server, partial, f"SecondFactor('totp', code={wrong!r})") == "invalid_token"
    )
    shown_events = events(server, user=claims(person.access)["sub"], type="login.second_factor")
    assert [(event.outcome, event.reason) for event in shown_events] == [("failure", "login_ended")]
    assert "totp_" not in server.manage("limits", "show", person.email).stdout


@pytest.mark.parametrize(
    "use",
    [
        "authenticators.begin_totp(grant=grant, name='', mailed_token='', source=source)",
        "authenticators.confirm_totp(grant=grant, authenticator_id={begun!r}, code={code!r}, source=source)",
    ],
)
def test_enrolment_falls_with_the_login_that_it_began_with(server: Server, client: Client, use: str) -> None:
    person = Person(new_email())
    server.create_user(person.email, person.password)
    partial = expect(client.login(person), 200)["partial_token"]
    begun = expect(client.post("mfa/totp/", {}, partial), 201)
    user = claims(partial)["sub"]
    login = f"PendingLogin.objects.get(pk={claims(partial)['jti']!r})"
    grant = f"Grant(User.objects.get(pk={user!r}), login={login})"
    call = use.format(begun=begun["id"], code=Authenticator(begun["secret"]).code())
    answer = outcome(
        server,
        call.replace("=grant", f"={grant}"),
        before="secure_auth.grants.judge_right",
        meanwhile=f"pending.bump_credentials({user!r})",
        address=new_address(),
    )
    assert answer == "invalid_token"
    totp = "SELECT id FROM mfa_totpauthenticator WHERE user_id = %s AND confirmed_at IS NULL"
    assert server.rows(totp, [user]) == [(begun["id"],)]


@pytest.mark.parametrize("purpose", ["login", "session"])
def test_nobody_is_given_a_challenge_once_the_right_to_it_is_over(
    server: Server, client: Client, purpose: str
) -> None:
    person = client.sign_up()
    passkeys.add_passkey(client, person)
    user, partial = claims(person.access)["sub"], expect(client.login(person), 200)["partial_token"]
    login = f"PendingLogin.objects.get(pk={claims(partial)['jti']!r})"
    session = f"Session.objects.get(pk={person.session_id!r})"
    held, end = {
        "login": (f"of_login({login})", f"pending.close_pending({login}, now=timezone.now())"),
        "session": (
            f"of_session({session})",
            f"sessions.end_session({session}, reason='logout', now=timezone.now())",
        ),
    }[purpose]
    answer = outcome(
        server,
        f"passkeys.challenge(holder=login.second_factor.{held}, source=source)",
        before="secure_auth.passkeys._find_end",
        meanwhile=end,
        address=new_address(),
    )
    assert answer == "invalid_token"
    assert server.rows("SELECT 1 FROM mfa_ceremony WHERE user_id = %s", [user]) == []


def test_login_that_is_revoked_while_its_factor_is_confirmed_opens_no_session_beside_that(
    server: Server, client: Client
) -> None:
    """Whichever is first takes place: the log does not tell of a login that was ended and of its session."""
    person = Person(new_email())
    server.create_user(person.email, person.password)
    partial = expect(client.login(person), 200)["partial_token"]
    begun = expect(client.post("mfa/totp/", {}, partial), 201)
    user, code = claims(partial)["sub"], Authenticator(begun["secret"]).code()
    grant = (
        f"Grant(User.objects.get(pk={user!r}), login=PendingLogin.objects.get(pk={claims(partial)['jti']!r}))"
    )
    call = f"authenticators.confirm_totp(grant={grant}, authenticator_id={begun['id']!r}, code={code!r}, source=source)"
    revoke = f"introspection.revoke_token({partial!r}, source=source)"
    answer = outcome(
        server,
        f"try:\n        {call}\n    finally:\n        beside.join()",
        before="mfa.totp.accept_code",
        meanwhile=(
            f"import threading, time; global beside; beside = threading.Thread(target=lambda: {revoke}); "
            "beside.start(); time.sleep(1)"
        ),
        address=new_address(),
    )
    assert answer == "done"
    assert len(live_sessions(server, user)) == 1
    assert [event.outcome for event in events(server, type="token.revoke", user=user)] == ["failure"]
