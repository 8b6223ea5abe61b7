"""Somebody who knows all secrets of an account signs in while its owner deletes it.

Attacker: knows password and recovery codes; or is one of two admins who both leave. Move: both steps, timed into
`DELETE me/`; both deletions at once. Refusal: the login loses: no session lives, no row of the account is left, nothing
of it stays in the log, which verifies; one admin is always left.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.attacks.evidence import claims
from tests.attacks.races import Runner, assert_nothing_is_left, race
from tests.attacks.volley import fire, statuses
from tests.client import Client, code_of
from tests.conftest import new_address, scaled
from tests.meanwhile import outcome
from tests.redis_processes import wait_until
from tests.server import TESTED_BACKENDS, Server, running_server

RUNNERS = 4


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, which hashes cheaply: the race is in the time of a hash."""
    with running_server(request.param, tmp_path_factory.mktemp("deletions"), hashes_cheaply=False) as running:
        yield running


def test_login_races_deletion(server: Server, new_client: Callable[..., Client]) -> None:
    users = []
    for _ in range(scaled(3, 30)):
        owner = new_client()
        person = owner.create_person()
        users.append(claims(person.access)["sub"])
        runners = [Runner(new_client(), code) for code in person.recovery_codes[:RUNNERS]]
        body = {"current_password": person.password}
        race(person, runners, partial(owner.delete, "me/", person.access, json=body))
        assert_nothing_is_left(server, person, runners, kept=set())
    for user in users:
        gone = partial(server.rows, "SELECT count(*) FROM secure_auth_user WHERE id = %s", [user])
        wait_until(lambda gone=gone: gone() == [(0,)], 40)  # type: ignore[misc]
        assert server.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user]) == [(0,)]
    assert server.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")


def test_one_deletion_of_many_at_once(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.create_person()
    body = {"current_password": person.password}
    answers = fire([partial(new_client().delete, "me/", person.access, json=body) for _ in range(4)])
    assert statuses(answers) == {204: 1, 401: 3}
    assert {code_of(one) for one in answers if one.is_error} <= {"invalid_token", "invalid_credentials"}


def test_of_two_admins_who_leave_at_once_one_stays(server: Server, new_client: Callable[..., Client]) -> None:
    for _ in range(scaled(2, 20)):
        clients = [new_client(), new_client()]
        admins = [client.create_person(role="admin") for client in clients]
        fire(
            [
                partial(client.delete, "me/", admin.access, json={"current_password": admin.password})
                for client, admin in zip(clients, admins, strict=True)
            ]
        )
        left = "SELECT count(*) FROM secure_auth_user WHERE role = 'admin' AND disabled_at IS NULL"
        assert server.rows(left)[0][0] >= 1


CHANGE = (
    "accounts.change_password(user=User.objects.get(pk={user!r}), session=Session.objects.get(pk={session!r}), "
    "current_password={password!r}, new_password='another passphrase 77', source=source)"
)
# the worker's own look included, as late as it may come
SLOWLY = (
    "import time; accounts.transaction.atomic(lambda: (pending.lock_account({user!r}), personal._end(User.objects.get("
    "pk={user!r}), address_change.Address({email!r}, {email!r}), source, timezone.now())))(); "
    "time.sleep(3.2); [erasure.finish_deletions() for _ in range(3)]"
)


def test_change_that_waited_for_a_range_api_leaves_nothing_in_the_log(server: Server, client: Client) -> None:
    """It read the account before its deletion, and was told of none by the API, as late as that may be."""
    person = client.create_person()
    user = claims(person.access)["sub"]
    named = {**vars(person), "user": user, "session": person.session_id}
    answer = outcome(
        server,
        CHANGE.format(**named),
        before="secure_auth.accounts.demand_password",
        meanwhile=SLOWLY.format(**named),
        address=new_address(),
    )
    assert answer == "invalid_token"
    gone = partial(server.rows, "SELECT count(*) FROM secure_auth_user WHERE id = %s", [user])
    wait_until(lambda: gone() == [(0,)], 40)
    assert server.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user]) == [(0,)]
