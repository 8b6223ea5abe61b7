"""Accounts by invitation: given over HTTP and by command, accepted once, listed, taken back."""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.mails import wait_for_link
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server, running_server


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(server, new_address())
    yield client, client.create_person(role="admin")
    client.close()


def accept(client: Client, token: str, **changes: str) -> Person:
    """Make the account of an invitation and go on to the end of its first login."""
    person = Person(changes.get("email", ""))
    answer = expect(client.post("register/", {"invitation": token, "password": PASSWORD, **changes}), 200)
    assert answer["next"] == "enroll"
    return client.enrol(person, answer["partial_token"])


def test_invited_person_has_an_account_with_the_role_after_one_request(
    admin: tuple[Client, Person], client: Client
) -> None:
    email = new_email("invited")
    body = {"email": email, "role": "auditor", "reason": "joins the security team"}
    made = expect(admin[0].post("admin/invitations/", body, admin[1].access), 201)
    assert (made["email"], made["role"], made["state"]) == (email, "auditor", "open")
    person = accept(client, wait_for_link(client, Person(email), "invited"))
    me = expect(client.me(person.access), 200)
    assert (me["email"], me["roles"]) == (email, ["auditor"])
    listed = expect(admin[0].get("admin/invitations/", admin[1].access), 200)["results"]
    assert next(one["state"] for one in listed if one["id"] == made["id"]) == "accepted"
    query = "audit/events/?type=invitation.create"
    created = expect(admin[0].get(query, admin[1].access), 200)["results"][0]
    assert created["details"]["invitation"] == made["id"]
    assert created["details"]["note"] == body["reason"]
    query = f"audit/events/?type=account.confirm&user={me['id']}"
    (confirmed,) = expect(admin[0].get(query, admin[1].access), 200)["results"]
    login = confirmed["details"].pop("login")
    assert confirmed["details"] == {"invitation": made["id"], "role": "auditor"}
    query = f"audit/events/?type=session.open&user={me['id']}"
    (opened,) = expect(admin[0].get(query, admin[1].access), 200)["results"]
    assert opened["details"]["login"] == login


def test_what_others_guessed_at_the_address_keeps_no_invited_person_out(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client, elsewhere, email = new_client(), new_client(), new_email("invited")
    server.manage("invite", email)
    for _ in range(5):
        assert code_of(elsewhere.login(Person(email), "a guess")) == "invalid_credentials"
    assert code_of(elsewhere.login(Person(email))) == "temporarily_locked"
    person = accept(client, wait_for_link(client, Person(email), "invited"))
    expect(elsewhere.login(Person(email, person.password)), 200)


def test_commands_invite_list_and_revoke(server: Server, client: Client) -> None:
    email, other = new_email("invited"), new_email("revoked")
    said = server.manage("invite", email, "--role", "admin", "--reason", "the second admin").stdout
    assert said.startswith(f"invited {email} ")
    revoked = server.manage("invite", other).stdout.split()[2].rstrip(",")
    token = wait_for_link(client, Person(other), "invited")
    server.manage("revoke_invitation", revoked)
    problem(client.post("register/", {"invitation": token, "password": PASSWORD}), "invalid_link")
    again = server.manage("revoke_invitation", revoked, check=False)
    assert again.returncode
    assert "no open invitation has this id" in again.stderr
    person = accept(client, wait_for_link(client, Person(email), "invited"))
    assert expect(client.me(person.access), 200)["roles"] == ["admin", "auditor"]
    lines = [line.split("\t") for line in server.manage("list_invitations").stdout.splitlines()]
    states = {line[1]: (line[2], line[3]) for line in lines}
    assert (states[email], states[other]) == (("admin", "accepted"), ("none", "revoked"))


def test_malformed_invitations_are_refused_by_field(admin: tuple[Client, Person]) -> None:
    right = {"email": new_email(), "reason": "a test"}
    for name, wrong in (("email", "nobody"), ("role", "admin"), ("role", "king"), ("reason", "")):
        answer = admin[0].post("admin/invitations/", {**right, name: wrong}, admin[1].access)
        assert set(problem(answer, "validation_failed")["errors"]) == {name}
    done = admin[0].server.manage("invite", "nobody", check=False)
    assert done.returncode
    assert done.stderr.strip() == "CommandError: This is not an e-mail address."


def test_weak_password_does_not_use_up_the_invitation(admin: tuple[Client, Person], client: Client) -> None:
    email = new_email("invited")
    body = {"email": email, "reason": "a test"}
    expect(admin[0].post("admin/invitations/", body, admin[1].access), 201)
    token = wait_for_link(client, Person(email), "invited")
    for weak in ("short", "password1", email):
        answer = client.post("register/", {"invitation": token, "password": weak})
        assert "password" in problem(answer, "validation_failed")["errors"]
    accept(client, token, email=email.upper())


def test_registration_without_invitation_needs_an_address(client: Client) -> None:
    told = problem(client.post("register/", {"password": PASSWORD}), "validation_failed")
    assert [fault["code"] for fault in told["errors"]["email"]] == ["required"]


def test_erased_address_keeps_no_invitation(server: Server, client: Client) -> None:
    email = new_email("erased")
    server.manage("invite", email)
    token = wait_for_link(client, Person(email), "invited")
    server.manage("erase_user", email, "--reason", "asked for it")
    assert email not in server.manage("list_invitations").stdout
    problem(client.post("register/", {"invitation": token, "password": PASSWORD}), "invalid_link")


@pytest.fixture(scope="module")
def by_invitation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service where nobody registers who was not invited."""
    directory = tmp_path_factory.mktemp("by-invitation")
    with running_server("sqlite", directory, environment={"REGISTRATION": "invite"}) as running:
        yield running


@pytest.mark.xdist_group("sqlite")
def test_where_an_invitation_is_needed_nothing_else_makes_an_account(
    by_invitation: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client(of=by_invitation)
    person = Person(new_email("stranger"))
    problem(client.register(person), "invalid_link")
    problem(client.post("register/", {"password": PASSWORD}), "invalid_link")
    by_invitation.manage("invite", person.email)
    token = wait_for_link(client, person, "invited")
    assert len(client.mailbox(person).messages()) == 1
    accept(client, token)
    by_invitation.create_user(other := new_email(), PASSWORD, verified=False)
    confirmed = client.confirm(wait_for_link(client, Person(other), "confirm"), PASSWORD)
    assert expect(confirmed, 200)["next"] == "enroll"


def test_invitation_that_an_account_stands_in_the_way_of_is_taken_back(
    server: Server, admin: tuple[Client, Person], client: Client
) -> None:
    email = new_email("invited")
    made = expect(
        admin[0].post("admin/invitations/", {"email": email, "reason": "a test"}, admin[1].access), 201
    )
    token = wait_for_link(client, Person(email), "invited")
    server.create_user(email, PASSWORD)
    problem(client.post("register/", {"invitation": token, "password": PASSWORD}), "invalid_link")
    listed = expect(admin[0].get("admin/invitations/", admin[1].access), 200)["results"]
    assert next(one["state"] for one in listed if one["id"] == made["id"]) == "open"
    expect(admin[0].delete(f"admin/invitations/{made['id']}/", admin[1].access), 204)
    problem(client.post("register/", {"invitation": token, "password": PASSWORD}), "invalid_link")
