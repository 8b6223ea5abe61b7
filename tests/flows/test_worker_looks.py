"""The background worker looks by one statement for all of its duties: who is wanted is woken, nobody else."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.server import Server, running_server

LOOK = """
from secure_auth.witnesses import Publisher
from secure_auth.worker import Lookout, attempt, duties
all_ = duties(Publisher())
{before}
all_[-1].act()
print("wanted:", *sorted(duty.name for duty in all_ if duty.wanted.is_set()))
"""
WORK = """
for _ in range(3):
    for duty in all_:
        while duty.look and attempt(duty):
            pass
        duty.wanted.clear()
"""
BREAK = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE audit_tally RENAME TO away")
import contextlib, django.db
with contextlib.suppress(django.db.Error):
    all_[-1].act()
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE away RENAME TO audit_tally")
print("failed:", *sorted(duty.name for duty in all_ if duty.look and not duty.wanted.is_set()), "-")
for duty in all_:
    duty.wanted.clear()
"""


pytestmark = pytest.mark.xdist_group("looks")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(request.param, tmp_path_factory.mktemp("looks"), worker=False) as running:
        yield running


def look(service: Server, before: str = "") -> list[str]:
    """What a worker says of its looks."""
    told = service.manage("shell", "--no-imports", "-c", LOOK.format(before=before)).stdout
    return [line for line in told.splitlines() if line.startswith(("wanted:", "failed:"))]


def test_who_has_something_to_do_is_woken(service: Server) -> None:
    look(service, WORK)
    with closing(Client(service, new_address())) as client:
        expect(client.register(Person("somebody@example.org")), 202)
    assert look(service) == ["wanted: integrate mail"]
    assert look(service, WORK) == ["wanted:"]


def test_look_that_fails_wakes_everybody(service: Server) -> None:
    assert look(service, WORK + BREAK) == ["failed: -", "wanted:"]
