"""Somebody wants an account where nobody may register.

Attacker: anyone. Move: registers, with known and unknown addresses, weak passwords, invitations, malformed bodies.
Refusal: `registration_closed` for each alike, before anything of it is read; nothing is hashed, mailed or stored, and a
flood is one event and a count.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.attacks.visits import visiting
from tests.client import PASSWORD, Client, expect, new_email
from tests.problems import problem
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("sqlite")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("closed")
    with running_server("sqlite", directory, environment={"REGISTRATION": "closed"}) as running:
        yield running


def test_everybody_is_refused_alike_before_anything_is_read(
    closed: Server, visit: Callable[..., Client]
) -> None:
    client = visit(closed)
    known = client.create_person()
    bodies: list[dict[str, Any]] = [
        {"json": {"email": known.email, "password": PASSWORD}},
        {"json": {"email": new_email(), "password": PASSWORD}},
        {"json": {"email": new_email(), "password": "weak"}},
        {"json": {"invitation": "x.y", "password": PASSWORD}},
        {"json": {"unknown": 1}},
        {"content": b"{"},
        {"content": b"a=b", "headers": {"Content-Type": "text/plain"}},
        {},
    ]
    told = [problem(client.request("POST", "register/", **body), "registration_closed") for body in bodies]
    assert len({(one["title"], one["detail"]) for one in told}) == 1
    problem(client.get("register/"), "method_not_allowed")
    assert closed.rows("SELECT count(*) FROM secure_auth_registration") == [(0,)]
    # The mail about its first authenticator may come at any time.
    subjects = [str(one["Subject"]) for one in client.mailbox(known).messages()]
    assert not [one for one in subjects if one.startswith(("You already", "Confirm"))]
    events = closed.rows("SELECT count(*) FROM audit_event WHERE reason = 'registration_closed'")
    assert events == [(1,)]


def test_admins_cannot_invite_past_it(closed: Server, visit: Callable[..., Client]) -> None:
    client = visit(closed)
    admin = client.create_person(role="admin")
    body = {"email": new_email(), "reason": "a test"}
    told = problem(client.post("admin/invitations/", body, admin.access), "validation_failed")
    assert "closed" in told["detail"]
    done = closed.manage("invite", new_email(), check=False)
    assert done.returncode
    assert "closed" in done.stderr
    assert expect(client.get("admin/invitations/", admin.access), 200)["results"] == []


def test_operators_still_make_accounts(closed: Server, visit: Callable[..., Client]) -> None:
    client = visit(closed)
    expect(client.me(client.create_person().access), 200)


def test_the_pages_say_so_and_refuse_too(closed: Server) -> None:
    with visiting(closed) as visitor:
        form = visitor.open("/forgot/").form("form_token").values
        for path, told in (
            ("/sign-up/", {"email": new_email(), "password": PASSWORD}),
            ("/invited/", {"token": "x.y", "password": PASSWORD}),
        ):
            assert visitor.ask("POST", path, data={**form, **told}).status == 403
            assert "made by the operators" in visitor.page.text
        assert "made by the operators" in visitor.open("/sign-up/").text
        assert "/sign-up/" not in visitor.open("/sign-in/").response.text
    assert closed.rows("SELECT count(*) FROM secure_auth_registration") == [(0,)]
