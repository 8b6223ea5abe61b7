"""Two requests each hold what the other waits for.

Attacker: who asks for the address of an admin, or of somebody who asks for theirs, at the moment at which it is acted
on; nobody, where a mailbox is confirmed at two doors at once. Move: the database ends one of the two after a second.
Expected: all take their locks in one order; both are answered, and what either did is whole.
"""

from collections.abc import Callable

import pytest

from tests.attacks.addresses import begin, confirm
from tests.attacks.evidence import claims, events
from tests.attacks.mails import wait_for_link
from tests.client import PASSWORD, Client, Person, expect, new_email
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.server import Server

NewClient = Callable[..., Client]
# Another one begins in a thread, which keeps what it raises to itself, and has a second to reach the first one's locks.
BESIDE = (
    "import threading, time; global beside; beside = threading.Thread(target=lambda: {call}); "
    "beside.start(); time.sleep(1)"
)
REQUEST = (
    "address_change.request_change(user=User.objects.get(pk={user!r}), "
    "session=Session.objects.get(pk={session!r}), current_password={password!r}, new_email={new!r}, source=source)"
)


def user_of(person: Person) -> str:
    return str(claims(person.access)["sub"])


def asking(person: Person, new: str) -> str:
    return REQUEST.format(user=user_of(person), session=person.session_id, password=person.password, new=new)


def crossed(server: Server, call: str, *, before: str, other: str) -> str:
    """What becomes of a call in the midst of which another one begins; the other one ends too."""
    return outcome(
        server,
        f"try:\n        {call}\n    finally:\n        beside.join()",
        before=before,
        meanwhile=BESIDE.format(call=other),
        address=new_address(),
    )


def test_two_who_ask_for_each_others_address_are_both_answered(server: Server, new_client: NewClient) -> None:
    one, two = new_client().sign_up(), new_client().sign_up()
    before = "secure_auth.accounts.owner_of"
    assert crossed(server, asking(one, two.email), before=before, other=asking(two, one.email)) == "done"
    for person in (one, two):
        (asked,) = events(server, user=user_of(person), type="address.request")
        assert (asked.outcome, asked.reason) == ("success", "known_address")


def test_who_asks_for_an_admins_address_keeps_no_admin_from_acting(
    server: Server, new_client: NewClient
) -> None:
    rogue, desk = new_client().sign_up(), new_client()
    admin = desk.create_person(role="admin")
    user = user_of(rogue)
    who = f"Actor(source, user_id={user_of(admin)!r}, session_id={admin.session_id!r}, reason='a test')"
    answer = crossed(
        server,
        f"administration.act('disable', user_id={user!r}, actor={who})",
        before="secure_auth.access.judge_again",
        other=asking(rogue, admin.email),
    )
    assert answer == "done"
    assert [event.outcome for event in events(server, user=user, type="account.disable")] == ["success"]
    assert [event.reason for event in events(server, user=user, type="address.request")] == [
        "credential_changed"
    ]


def test_address_that_is_confirmed_by_two_at_once_is_the_first_ones(
    server: Server, new_client: NewClient
) -> None:
    client = new_client()
    mover, guest = client.sign_up(), Person(new_email("wanted"))
    old, new = begin(client, mover, guest.email)
    expect(new_client().register(guest), 202)
    token = wait_for_link(client, guest, "confirm")
    assert confirm(client, new) == "waiting"
    answer = crossed(
        server,
        f"registration.confirm_registration(token={token!r}, password={guest.password!r}, source=source)",
        before="secure_auth.registration._create_user",
        other=f"address_change.confirm_change(token={old!r}, source=source)",
    )
    assert answer == "done"
    (refused,) = events(server, user=user_of(mover), type="address.change")
    assert (refused.outcome, refused.reason) == ("failure", "known_address")
    ((owner,),) = server.rows("SELECT id FROM secure_auth_user WHERE email = %s", [guest.email])
    assert owner != user_of(mover)


DELETE = (
    "personal.delete_account(user=User.objects.get(pk={user!r}), session=Session.objects.get(pk={session!r}), "
    "current_password={password!r}, source=source)"
)
ERASE = (
    "erasure._end(administration.find_user({email!r}), address_change.Address({email!r}, {email!r}), command)"
)


@pytest.mark.parametrize("end", [DELETE, ERASE], ids=["deleted", "erased"])
def test_account_ends_while_an_invitation_of_its_address_is_followed(
    server: Server, new_client: NewClient, end: str
) -> None:
    client, guest = new_client(), Person(new_email("guest"))
    server.manage("invite", guest.email)
    token = wait_for_link(client, guest, "invited")
    server.create_user(guest.email, guest.password)
    client.sign_in(guest)
    expect(new_client().register(guest), 202)
    named = {"user": user_of(guest), "session": guest.session_id, "password": guest.password}
    answer = crossed(
        server,
        f"invitations.accept(token={token!r}, email='', password={PASSWORD!r}, source=source)",
        before="secure_auth.registration.create_account",
        other=end.format(**named, email=guest.email),
    )
    assert answer == "invalid_link"
    assert server.rows("SELECT 1 FROM secure_auth_user WHERE email = %s", [guest.email]) == []
    assert server.rows("SELECT 1 FROM secure_auth_invitation WHERE email = %s", [guest.email]) == []


PROVE = (
    "password_checks.prove_current_password(user=User.objects.get(pk={user!r}), password='a wrong one', "
    "session=Session.objects.get(pk={session!r}), source=source, kind='account.delete')"
)
END = (
    "accounts.transaction.atomic(lambda: (pending.lock_account({user!r}), personal._end(User.objects.get(pk={user!r}), "
    "address_change.Address({email!r}, {email!r}), source, timezone.now())))()"
)


@pytest.mark.parametrize(
    "before", ["secure_auth.password_checks._compare", "secure_auth.outbox.queue_mail_once"]
)
def test_lock_is_told_to_nobody_whose_account_is_deleted_meanwhile(
    server: Server, new_client: NewClient, before: str
) -> None:
    """Neither to the address that is free now, nor to what stands in its place in the account's row."""
    client = new_client()
    person = client.sign_up()
    named = {"user": user_of(person), "session": person.session_id, "email": person.email}
    for _ in range(4):
        answer = client.delete("me/", person.access, json={"current_password": "a wrong one"})
        assert answer.status_code == 401
    refused = outcome(
        server,
        f"try:\n        {PROVE.format(**named)}\n    finally:\n        beside.join()",
        before=before,
        meanwhile=BESIDE.format(call=END.format(**named)),
        address=client.address,
    )
    assert refused == "invalid_credentials"
    assert server.rows("SELECT 1 FROM secure_auth_user WHERE email = %s", [person.email]) == []
    told = 'SELECT "to" FROM secure_auth_outboxmessage WHERE template = %s AND "to" IN (%s, %s)'
    assert server.rows(told, ["locked", person.email, "deleted:"]) == []
