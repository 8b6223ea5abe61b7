"""What a request saw of its account when it came is another thing by the time it acts.

Attacker: the thief of a session that is ended, or whose account is to change its password; the reader of a mailbox that
the account has left; who took that address over. Move: a request that was let in ends the owner's sessions, forgets
devices, makes recovery codes; reads what is told of the account; shows the own password for another's.
Expected: all of it is judged again under the account's lock; the owner stays, and is told where the account is by then.
"""

import pytest

from tests.attacks.evidence import claims, live_sessions
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.server import Server

ATOMIC = "django.db.transaction.atomic"
END = "sessions.end_session(Session.objects.get(pk={session!r}), reason='by_user', now=timezone.now())"
FLAG = "administration.require_password_change(user=User.objects.get(pk={user!r}), actor=command)"
SIGNED = "access.Signed(User.objects.get(pk={user!r}), Session.objects.get(pk={session!r}), 0, '', ())"
GRANT = "Grant(User.objects.get(pk={user!r}), session=Session.objects.get(pk={session!r}), amr=('otp',))"
CODES = f"recovery_sheet.replace_recovery_codes(grant={GRANT}, source=source)"
ENDS = {END: "invalid_token", FLAG: "password_change_required"}


def named(person: Person) -> dict[str, str]:
    return {"user": claims(person.access)["sub"], "session": person.session_id}


@pytest.mark.parametrize("end", ENDS, ids=["ended", "flagged"])
@pytest.mark.parametrize(
    "use",
    [
        f"access.end_other_sessions(signed={SIGNED}, source=source)",
        f"access.end_own_session(signed={SIGNED}, session_id={{owners!r}}, source=source)",
        f"access.forget_device(signed={SIGNED}, device_id={{device!r}}, source=source)",
        CODES,
    ],
    ids=["others", "one", "device", "codes"],
)
def test_who_is_shut_out_meanwhile_takes_no_owner_along(
    server: Server, client: Client, use: str, end: str
) -> None:
    owner = client.sign_up()
    partial = expect(client.login(owner), 200)["partial_token"]
    code = owner.recovery_codes[0]
    thief = expect(client.verify(partial, code, "recovery_code", remember_device=True), 200)
    user = claims(thief["access"])["sub"]
    (known,) = server.rows("SELECT id FROM secure_auth_knowndevice WHERE user_id = %s", [user])
    names = {"user": user, "session": claims(thief["access"])["sid"]}
    call = use.format(**names, owners=owner.session_id, device=known[0])
    meanwhile = end.format(**names)
    assert outcome(server, call, before=ATOMIC, meanwhile=meanwhile, address=new_address()) == ENDS[end]
    assert owner.session_id in live_sessions(server, user)
    live = "SELECT id FROM secure_auth_knowndevice WHERE user_id = %s AND revoked_at IS NULL"
    assert server.rows(live, [user]) == [known]
    partial = expect(client.login(owner), 200)["partial_token"]
    expect(client.verify(partial, owner.recovery_codes[1], "recovery_code"), 200)


@pytest.mark.parametrize(
    ("template", "use"),
    [
        ("unlocked", "administration.unlock(user=User.objects.get(pk={user!r}), actor=command)"),
        ("mfa_reset", "recovery.reset_mfa(user=User.objects.get(pk={user!r}), actor=command)"),
        ("password_change_required", FLAG),
        ("recovery_codes", CODES),
    ],
)
def test_what_is_told_goes_to_no_mailbox_that_the_account_has_left(
    server: Server, client: Client, template: str, use: str
) -> None:
    person, moved = client.sign_up(), new_email("moved")
    call = use.format(**named(person))
    move = f"User.objects.filter(email={person.email!r}).update(email={moved!r})"
    assert outcome(server, call, before=ATOMIC, meanwhile=move, address=new_address()) == "done"
    told = 'SELECT "to" FROM secure_auth_outboxmessage WHERE template = %s AND "to" IN (%s, %s)'
    assert server.rows(told, [template, person.email, moved]) == [(moved,)]


def test_account_deleted_meanwhile_gets_no_address_anew(server: Server, client: Client) -> None:
    person, moved = client.sign_up(), new_email("moved")
    user = f"User.objects.get(pk={claims(person.access)['sub']!r})"
    delete = f"personal._end({user}, address_change.Address({person.email!r}, ''), source, timezone.now())"
    answer = outcome(
        server,
        f"address_change.change_by_operator(user={user}, new_email={moved!r}, actor=command)",
        before=ATOMIC,
        meanwhile=f"with go_on(): {delete}",
        address=new_address(),
    )
    assert answer == "the account was deleted meanwhile"
    assert server.rows("SELECT 1 FROM secure_auth_user WHERE email = %s", [moved]) == []


@pytest.mark.parametrize("action", ["unlock", "reset_mfa", "require_password_change"])
def test_account_deleted_meanwhile_is_told_as_such(server: Server, client: Client, action: str) -> None:
    """And not by the cause of another refusal, such as that no reset is waiting."""
    person = client.sign_up()
    user = f"User.objects.get(pk={claims(person.access)['sub']!r})"
    module = "recovery" if action == "reset_mfa" else "administration"
    tell = "from secure_auth.web import words; raise Refused(str(words.NOT_DONE[refused.reason])) from None"
    answer = outcome(
        server,
        f"try: {module}.{action}(user={user}, actor=command)\n    except Refused as refused: {tell}",
        before=ATOMIC,
        meanwhile=f"with go_on(): personal._end({user}, address_change.Address({person.email!r}, ''), source, "
        "timezone.now())",
        address=new_address(),
    )
    assert answer == "Nothing was done: the account was deleted meanwhile."


def test_password_of_who_took_an_address_over_is_no_password_of_who_left_it(
    server: Server, client: Client
) -> None:
    victim, heir = client.sign_up(), client.sign_up()
    heir.password = "the heir's own passphrase 55"
    body = {"current_password": Person(heir.email).password, "new_password": heir.password}
    expect(client.post("password/change/", body, heir.access), 204)
    one, two = (named(person)["user"] for person in (victim, heir))
    who = "user=User.objects.get(pk={user!r}), session=Session.objects.get(pk={session!r})".format(
        **named(victim)
    )
    new = "chosen by somebody else entirely 9"
    was = f"User.objects.get(pk={one!r}).email_key"
    swap = (
        f"was = {was}; pending.bump_credentials({one!r}, email_key={new_email()!r}); "
        f"pending.bump_credentials({two!r}, email_key=was)"
    )
    answer = outcome(
        server,
        f"accounts.change_password({who}, current_password={heir.password!r}, new_password={new!r}, source=source)",
        before="secure_auth.password_checks._compare",
        meanwhile=swap,
        address=new_address(),
    )
    assert answer == "invalid_credentials"
    assert code_of(client.login(Person(heir.email, new))) == "invalid_credentials"


def test_who_moves_meanwhile_is_not_erased_by_halves(server: Server, client: Client) -> None:
    """Under the old address alone: mails to the new one, and what the log tells of that, would stay."""
    person, moved = client.sign_up(), new_email("moved")
    user = claims(person.access)["sub"]
    found = f"administration.find_user({person.email!r})"
    answer = outcome(
        server,
        f"erasure.erase_user(email={person.email!r}, actor=command)",
        before="secure_auth.covering.require_sound_log",
        meanwhile=f"address_change.change_by_operator(user={found}, new_email={moved!r}, actor=command)",
        address=new_address(),
    )
    assert answer == "the account has left this address meanwhile; run this again"
    assert server.rows("SELECT email FROM secure_auth_user WHERE id = %s", [user]) == [(moved,)]
    server.manage("erase_user", moved, "--reason", "asked for")
    assert server.rows('SELECT 1 FROM secure_auth_outboxmessage WHERE "to" = %s', [moved]) == []
