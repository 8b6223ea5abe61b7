"""What admins do over HTTP, and operators by command."""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.evidence import events
from tests.client import PASSWORD, Client, Person, expect, new_email
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server

Act = Callable[..., None]


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(server, new_address())
    yield client, client.create_person(role="admin")
    client.close()


def user_id(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def test_accounts_are_listed_newest_first(admin: tuple[Client, Person], client: Client) -> None:
    person = client.sign_up()
    listed = expect(admin[0].get("admin/users/", admin[1].access), 200)
    assert set(listed) == {"results", "next", "previous"}
    first = listed["results"][0]
    assert set(first) == {"id", "email", "roles", "created_at", "disabled"}
    assert (first["email"], first["roles"], first["disabled"]) == (person.email, [], False)


def test_disabled_account_is_shut_until_it_is_enabled(admin: tuple[Client, Person], client: Client) -> None:
    person = client.sign_up()
    path, reason = f"admin/users/{user_id(client, person)}", {"reason": "left the company"}
    expect(admin[0].post(f"{path}/disable/", reason, admin[1].access), 204)
    problem(client.me(person.access), "invalid_token")
    problem(client.refresh(person.refresh), "invalid_token")
    problem(client.login(person), "invalid_credentials")
    again = admin[0].post(f"{path}/disable/", reason, admin[1].access)
    assert "disabled already" in problem(again, "validation_failed")["detail"]
    expect(admin[0].post(f"{path}/enable/", reason, admin[1].access), 204)
    problem(client.me(person.access), "invalid_token")
    expect(client.login(person), 200)
    query = f"type=account.disable&user={path.rpartition('/')[2]}"
    refused, done = expect(admin[0].get(f"audit/events/?{query}", admin[1].access), 200)["results"]
    assert (refused["outcome"], done["outcome"], done["reason"]) == ("failure", "success", "by_admin")
    assert "left the company" in str(done["details"])


def test_admin_lifts_a_lock(admin: tuple[Client, Person], client: Client) -> None:
    person = client.sign_up()
    for _ in range(5):
        client.login(person, "wrong-" + PASSWORD)
    problem(client.login(person), "temporarily_locked")
    path = f"admin/users/{user_id(client, person)}/unlock/"
    expect(admin[0].post(path, {"reason": "called and proved who it is"}, admin[1].access), 204)
    expect(client.login(person), 200)


def test_admin_ends_sessions_and_resets_the_second_factor(
    admin: tuple[Client, Person], client: Client
) -> None:
    person = client.sign_up()
    path = f"admin/users/{user_id(client, person)}"
    login = expect(client.login(person), 200)["partial_token"]
    expect(admin[0].post(f"{path}/revoke-sessions/", {"reason": "laptop stolen"}, admin[1].access), 204)
    problem(client.verify(login, person.recovery_codes[0], "recovery_code"), "invalid_token")
    problem(client.me(person.access), "invalid_token")
    query = f"type=session.revoke&user={path.rpartition('/')[2]}"
    [ended] = expect(admin[0].get(f"audit/events/?{query}", admin[1].access), 200)["results"]
    assert (ended["session"], ended["details"]["note"]) == (person.session_id, "laptop stolen")
    expect(admin[0].post(f"{path}/reset-mfa/", {"reason": "phone stolen"}, admin[1].access), 204)
    answer = expect(client.login(person), 200)
    assert answer["next"] == "enroll"
    problem(client.post("mfa/totp/", {}, answer["partial_token"]), "invalid_link")
    token = client.mailbox(person).wait_for_token(after=1)
    client.enrol(person, answer["partial_token"], token=token)
    expect(client.me(person.access), 200)


def test_admin_actions_need_a_reason_a_known_action_and_an_account(
    admin: tuple[Client, Person], client: Client
) -> None:
    person = client.sign_up()
    path = f"admin/users/{user_id(client, person)}"
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}):
        problem(admin[0].post(f"{path}/disable/", body, admin[1].access), "validation_failed")
    reason = {"reason": "testing"}
    problem(admin[0].post(f"{path}/promote/", reason, admin[1].access), "not_found")
    problem(
        admin[0].post("admin/users/00000000-0000-7000-8000-000000000000/disable/", reason, admin[1].access),
        "not_found",
    )
    problem(client.post(f"{path}/disable/", reason, person.access), "permission_denied")
    expect(client.me(person.access), 200)


def test_no_admin_resets_the_factor_of_an_admin(admin: tuple[Client, Person]) -> None:
    own = f"admin/users/{user_id(*admin)}/reset-mfa/"
    problem(admin[0].post(own, {"reason": "lost it"}, admin[1].access), "permission_denied")


def test_account_made_by_command_enrols_at_its_first_login(server: Server, client: Client) -> None:
    person = Person(new_email())
    done = server.manage("create_user", person.email, "--role", "auditor", stdin=PASSWORD + "\nignored\n")
    assert done.stdout.splitlines()[-1].startswith(f"created {person.email} ")
    client.sign_in(person)
    assert expect(client.me(person.access), 200)["roles"] == ["auditor"]


def test_role_is_given_and_taken_by_command_and_holds_at_once(server: Server, client: Client) -> None:
    person = client.create_person()
    problem(client.get("audit/events/", person.access), "permission_denied")
    done = server.manage("set_role", person.email, "auditor", "--reason", "joins the team")
    assert done.stdout.splitlines()[-1] == f"{person.email} has the role auditor"
    expect(client.get("audit/events/", person.access), 200)
    problem(client.get("admin/users/", person.access), "permission_denied")
    again = server.manage("set_role", person.email, "auditor", check=False)
    assert "has this role already" in again.stderr
    server.manage("set_role", person.email, "none")
    problem(client.get("audit/events/", person.access), "permission_denied")
    told = events(server, type="account.role", user=user_id(client, person))
    assert [(one.outcome, one.details.get("role"), one.details.get("previous_role")) for one in told] == [
        ("success", "auditor", "none"),
        ("failure", None, None),
        ("success", "none", "auditor"),
    ]


def test_unverified_account_waits_for_its_mail(server: Server, client: Client) -> None:
    person = Person(new_email())
    server.create_user(person.email, person.password, verified=False)
    problem(client.login(person), "invalid_credentials")
    token = client.mailbox(person).wait_for_token()
    assert expect(client.confirm(token, person.password), 200)["next"] == "enroll"


@pytest.mark.parametrize(
    ("arguments", "password", "told"),
    [
        (("create_user", "no address"), PASSWORD, "not an e-mail address"),
        (("create_user", "short@example.org"), "short", "8 characters"),
        (("create_user", "null@example.org"), "null\0null\0null", "Null characters"),
        (("create_user", "common@example.org"), "password123", "attackers try first"),
        (("create_user", "none@example.org"), "", "8 characters"),
        (("create_user", "role@example.org", "--role", "king"), PASSWORD, "invalid choice"),
        (("create_user",), PASSWORD, "required: email"),
        (("disable", "nobody@example.org"), "", "no account has this address"),
        (("set_role", "nobody@example.org", "auditor"), "", "no account has this address"),
        (("set_role", "nobody@example.org", "king"), "", "invalid choice"),
        (("enable", "nobody@example.org"), "", "no account has this address"),
        (("unlock", "nobody@example.org"), "", "no account has this address"),
        (("reset_mfa", "nobody@example.org"), "", "no account has this address"),
        (("revoke_sessions", "nobody@example.org"), "", "no account has this address"),
    ],
)
def test_refused_command_says_why_in_one_line(
    server: Server, arguments: tuple[str, ...], password: str, told: str
) -> None:
    done = server.manage(*arguments, stdin=password + "\n", check=False)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith(("usage:", " "))]) == 1


def test_taken_address_is_refused_by_command(server: Server, client: Client) -> None:
    person = client.sign_up()
    done = server.manage("create_user", person.email.upper(), stdin=PASSWORD + "\n", check=False)
    assert done.returncode != 0
    assert done.stderr.strip() == "CommandError: an account with this address exists"


def test_operators_commands_do_what_they_say(server: Server, client: Client) -> None:
    person = client.sign_up()
    assert f"1 session of {person.email} ended" in server.manage("revoke_sessions", person.email).stdout
    assert f"0 sessions of {person.email} ended" in server.manage("revoke_sessions", person.email).stdout
    problem(client.me(person.access), "invalid_token")
    server.manage("disable", person.email, "--reason", "test")
    problem(client.login(person), "invalid_credentials")
    assert server.manage("disable", person.email, check=False).returncode != 0
    server.manage("enable", person.email)
    assert server.manage("enable", person.email, check=False).returncode != 0
    for _ in range(5):
        client.login(person, "wrong-" + PASSWORD)
    problem(client.login(person), "temporarily_locked")
    server.manage("unlock", person.email)
    assert expect(client.login(person), 200)["next"] == "verify"
    server.manage("reset_mfa", person.email)
    assert expect(client.login(person), 200)["next"] == "enroll"


@pytest.mark.xdist_group("sqlite")
@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "worker",
        "demo",
        "create_user",
        "unlock",
        "reset_mfa",
        "disable",
        "enable",
        "revoke_sessions",
        "limits",
        "axes_list_attempts",
        "axes_reset",
        "axes_reset_ip",
        "axes_reset_username",
        "axes_reset_ip_username",
    ],
)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_help_of_each_command_tells_what_it_does(server: Server, command: str) -> None:
    assert "usage: manage.py" in server.manage(command, "--help").stdout


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("unlock", "account.unlock"), ("revoke-sessions", "session.revoke"), ("reset-mfa", "mfa.reset"),
        ("cancel-reset-mfa", "mfa.reset_cancel"), ("disable", "account.disable"), ("enable", "account.enable"),
        ("require-password-change", "password.require_change"),
    ],
)  # fmt: skip
def test_action_upon_no_account_is_an_event(
    admin: tuple[Client, Person], server: Server, action: str, kind: str
) -> None:
    """Who tries ids leaves a trace of each, as whoever tries those of sessions and devices does."""
    client, person = admin
    path = f"admin/users/00000000-0000-7000-8000-000000000000/{action}/"
    before = {one.id for one in events(server, type=kind, outcome="failure")}
    problem(client.post(path, {"reason": f"try {action}"}, person.access), "not_found")
    (told,) = [one for one in events(server, type=kind, outcome="failure") if one.id not in before]
    assert (told.reason, told.user, told.details["actor"]) == ("not_found", "", user_id(client, person))
