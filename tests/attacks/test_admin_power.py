"""An admin, or somebody with an admin's session, goes beyond what admins may do.

Attacker: an auditor, a plain person, an admin, two admins at once. Move: admin actions without the role; another
admin's second factor; one's own; disabling the last admin, or each other at the same moment. Refusal:
`permission_denied`, and at least one enabled admin is left; each refusal is an event.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, expect
from tests.conftest import scaled
from tests.server import Server, running_server

ACTIONS = ("unlock", "revoke-sessions", "reset-mfa", "cancel-reset-mfa", "disable", "enable")
REASON = {"reason": "because"}
Admin = Callable[[], tuple[Client, Person]]


def id_of(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def act(client: Client, actor: Person, user_id: str, action: str) -> str:
    answer = client.post(f"admin/users/{user_id}/{action}/", REASON, actor.access)
    return "done" if answer.is_success else code_of(answer)


def test_people_and_auditors_act_on_nobody(server: Server, new_client: Callable[..., Client]) -> None:
    client = new_client()
    person, auditor = client.sign_up(), client.create_person(role="auditor")
    victim = id_of(client, client.sign_up())
    for actor in (person, auditor):
        for action in ACTIONS:
            assert act(client, actor, victim, action) == "permission_denied"
        assert code_of(client.get("admin/users/", actor.access)) == "permission_denied"
    assert code_of(client.get("audit/events/", person.access)) == "permission_denied"
    denied = events(server, type="permission.denied", ip=client.address, reason="role_missing")
    assert {event.user for event in denied} == {id_of(client, person), id_of(client, auditor)}
    told = {(event.session, event.text["path"].split("/")[-2]) for event in denied}
    assert told >= {(actor.session_id, action) for actor in (person, auditor) for action in ACTIONS}


def test_admin_resets_no_admins_second_factor(
    server: Server, new_client: Callable[..., Client], admin: Admin
) -> None:
    desk, boss = admin()
    other = new_client()
    colleague = other.create_person(role="admin")
    assert act(desk, boss, id_of(other, colleague), "reset-mfa") == "permission_denied"
    assert act(desk, boss, id_of(desk, boss), "reset-mfa") == "permission_denied"
    assert len(expect(other.get("mfa/", colleague.access), 200)["authenticators"]) == 1
    refused = events(server, type="mfa.reset", outcome="failure", ip=desk.address)
    assert {event.user for event in refused} >= {id_of(other, colleague), id_of(desk, boss)}


def test_action_needs_a_reason_and_a_known_account(admin: Admin) -> None:
    desk, boss = admin()
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": 7}, {"reason": "x", "role": "admin"}):
        answer = desk.post("admin/users/00000000-0000-7000-8000-000000000000/unlock/", body, boss.access)
        assert code_of(answer) == "validation_failed"
    assert act(desk, boss, "00000000-0000-7000-8000-000000000000", "unlock") == "not_found"
    assert act(desk, boss, "00000000-0000-7000-8000-000000000000", "promote") == "not_found"


@pytest.mark.parametrize("backend", ["sqlite", "postgres+redis"])
def test_last_admin_stays(backend: str, tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server(backend, tmp_path, worker=False) as server:
        clients = [visit(server) for _ in range(2)]
        admins = [client.create_person(role="admin") for client in clients]
        ids = [id_of(client, person) for client, person in zip(clients, admins, strict=True)]
        assert act(clients[0], admins[0], ids[1], "disable") == "done"
        assert act(clients[0], admins[0], ids[0], "disable") == "validation_failed"
        for kind, command, *role in (("account.disable", "disable"), ("account.role", "set_role", "none")):
            assert server.manage(command, admins[0].email, *role, check=False).returncode != 0
            (refused,) = events(server, type=kind, outcome="failure")[:1]
            assert (refused.reason, refused.user) == ("last_admin", ids[0])
        assert act(clients[0], admins[0], ids[1], "enable") == "done"
        for _ in range(scaled(1, 9)):  # each takes one of ten recovery codes
            for client, person in zip(clients, admins, strict=True):
                client.recover(person)
            seen = fire(
                [partial(act, clients[one], admins[one], ids[1 - one], "disable") for one in range(2)]
            )
            assert seen.count("done") == 1
            winner = seen.index("done")
            assert act(clients[winner], admins[winner], ids[1 - winner], "enable") == "done"
