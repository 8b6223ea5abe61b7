"""Somebody gets hold of an invitation that is not theirs, any more, or once more.

Attacker: guesses, kept an old mail, was invited with another address, or was an admin once. Move: alters, reuses, races
and shifts invitations. Refusal: `invalid_link` for each alike; one invitation makes one account, of its own address,
with its own role, while it is open and the admin who gave it is one.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.evidence import events
from tests.attacks.mails import wait_for_link
from tests.attacks.volley import fire, statuses
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.server import Server

Admin = Callable[[], tuple[Client, Person]]


def invite(admin: Admin, email: str, **changes: str) -> str:
    client, person = admin()
    body = {"email": email, "reason": "a test", **changes}
    return str(expect(client.post("admin/invitations/", body, person.access), 201)["id"])


def accept(client: Client, token: str, **changes: str) -> str:
    answer = client.post("register/", {"invitation": token, "password": PASSWORD, **changes})
    return "made" if answer.is_success else code_of(answer)


def accounts(server: Server, email: str) -> int:
    return int(server.rows("SELECT count(*) FROM secure_auth_user WHERE email = %s", [email])[0][0])


def test_one_invitation_used_20_times_at_once_makes_one_account(
    server: Server, admin: Admin, new_client: Callable[..., Client]
) -> None:
    email = new_email("invited")
    invite(admin, email)
    token = wait_for_link(new_client(), Person(email), "invited")
    bodies = [
        {"invitation": token, "password": f"passphrase number {number} of many"} for number in range(20)
    ]
    clients = [new_client() for _ in bodies]
    answers = fire(
        partial(client.post, "register/", body) for client, body in zip(clients, bodies, strict=True)
    )
    assert statuses(answers)[200] == 1
    assert accounts(server, email) == 1
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.is_success)
    expect(new_client().login(Person(email), winner["password"]), 200)
    assert accept(new_client(), token) == "invalid_link"


def test_altered_and_foreign_tokens_open_nothing(
    server: Server, admin: Admin, new_client: Callable[..., Client]
) -> None:
    client, email = new_client(), new_email("invited")
    invite(admin, email)
    token = wait_for_link(client, Person(email), "invited")
    person = Person(new_email("registered"))
    expect(client.register(person), 202)
    confirm = wait_for_link(client, person, "confirm")
    row, _, digest = token.partition(".")
    other = confirm.partition(".")
    for wrong in (
        row,
        f"{row}.",
        f"{row}.{digest[:-1]}",
        f"{other[0]}.{digest}",
        f"{row}.{other[2]}",
        confirm,
        "x",
    ):
        assert accept(client, wrong) == "invalid_link"
    assert code_of(client.confirm(token, PASSWORD)) == "invalid_link"
    reset = {"token": token, "new_password": PASSWORD}
    assert code_of(client.post("password/reset/confirm/", reset)) == "invalid_link"
    assert accounts(server, email) == 0
    assert accept(client, token) == "made"


def test_invitation_is_for_its_own_address_only(server: Server, admin: Admin, client: Client) -> None:
    email, other = new_email("invited"), new_email("other")
    invite(admin, email)
    token = wait_for_link(client, Person(email), "invited")
    assert accept(client, token, email=other) == "invalid_link"
    assert accept(client, token, role="admin") == "validation_failed"
    assert (accounts(server, email), accounts(server, other)) == (0, 0)


def test_revoked_and_expired_invitations_are_dead(server: Server, admin: Admin, client: Client) -> None:
    emails = [new_email(name) for name in ("revoked", "expired")]
    ids = [invite(admin, email) for email in emails]
    tokens = [wait_for_link(client, Person(email), "invited") for email in emails]
    chief, person = admin()
    expect(chief.delete(f"admin/invitations/{ids[0]}/", person.access), 204)
    server.rows(
        "UPDATE secure_auth_mailtoken SET expires_at = created_at WHERE id = %s", [tokens[1].split(".")[0]]
    )
    for token, email in zip(tokens, emails, strict=True):
        assert accept(client, token) == "invalid_link"
        assert accounts(server, email) == 0


def test_revoked_while_it_is_accepted_one_of_both_happens(
    server: Server, admin: Admin, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    for _ in range(3):
        email = new_email("raced")
        invitation = invite(admin, email)
        token = wait_for_link(client, Person(email), "invited")
        chief, person = admin()
        path = f"admin/invitations/{invitation}/"
        body = {"invitation": token, "password": PASSWORD}
        accepted, revoked = fire(
            [partial(client.post, "register/", body), partial(chief.delete, path, person.access)]
        )
        assert (accepted.status_code, revoked.status_code) in ((200, 404), (400, 204))
        assert accounts(server, email) == int(accepted.is_success)


def test_admin_who_lost_the_account_leaves_no_invitations(
    server: Server, new_client: Callable[..., Client]
) -> None:
    rogue, client, email = new_client(), new_client(), new_email("accomplice")
    admin = rogue.create_person(role="admin")
    invite(lambda: (rogue, admin), email, role="auditor")
    token = wait_for_link(client, Person(email), "invited")
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    server.manage("disable", admin.email, "--reason", "found out")
    assert accept(client, token) == "invalid_link"
    assert accounts(server, email) == 0


@pytest.mark.parametrize(("fall", "rise"), [("disable", "enable"), ("set_role none", "set_role admin")])
def test_admin_who_is_one_again_finds_no_invitation_open(
    server: Server, new_client: Callable[..., Client], fall: str, rise: str
) -> None:
    taken_over, client, email = new_client(), new_client(), new_email("accomplice")
    admin = taken_over.create_person(role="admin")
    invitation = invite(lambda: (taken_over, admin), email, role="auditor")
    token = wait_for_link(client, Person(email), "invited")
    server.create_user(new_email("other-admin"), PASSWORD, role="admin")
    for step in (fall, rise):
        command, *role = step.split()
        server.manage(command, admin.email, *role)
    assert accept(client, token) == "invalid_link"
    assert accounts(server, email) == 0
    (revoked,) = [
        event
        for event in events(server, type="invitation.revoke")
        if event.details["invitation"] == invitation
    ]
    assert (revoked.outcome, revoked.reason) == ("success", "by_command")


def test_admins_are_not_made_over_http(admin: Admin) -> None:
    client, person = admin()
    body = {"email": new_email(), "role": "admin", "reason": "a friend of mine"}
    assert code_of(client.post("admin/invitations/", body, person.access)) == "validation_failed"


def test_invitations_of_known_addresses_tell_nothing_and_mail_nothing(
    server: Server, admin: Admin, client: Client
) -> None:
    known, unknown = client.create_person(), new_email("unknown")
    chief, person = admin()
    answers = [
        chief.post("admin/invitations/", {"email": email, "reason": "a test"}, person.access)
        for email in (known.email, unknown)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json().keys() == answers[1].json().keys()
    wait_for_link(client, Person(unknown), "invited")  # queued after the other would have been
    assert not any("invit" in str(mail["Subject"]) for mail in client.mailbox(known).messages())


def test_a_mailbox_is_not_flooded_with_invitations(admin: Admin, client: Client) -> None:
    flooded, other = new_email("flooded"), new_email("other")
    for _ in range(5):
        invite(admin, flooded)
    invite(admin, other)
    wait_for_link(client, Person(other), "invited")
    assert len(client.mailbox(Person(flooded)).messages()) == 3
