"""Two imports bring the same addresses, in another order.

Attacker: nobody; two operators, or one who runs two files at once. Move: each makes an account that the other one waits
for, and the database ends one of them in the midst. Expected: both come to their end, each address is imported once.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.newcomers import row, write_jsonl
from tests.redis_processes import wait_until
from tests.server import Server, running_server

BETWEEN = """
INSERT INTO secure_auth_user (id, email, email_key, password, role, credential_version, mailbox_proved_at,
                              had_second_factor, must_change_password, created_at)
VALUES ('between', %(key)s, %(key)s, '!', '', 1, now(), false, '', now())
"""
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("postgres", tmp_path_factory.mktemp("imports"), worker=False) as running:
        yield running


def test_two_imports_of_the_same_addresses_both_end(service: Server, tmp_path: Path) -> None:
    people = sorted((row() for _ in range(3)), key=lambda one: one["email"])
    files = [
        write_jsonl(tmp_path / "one.jsonl", people),
        write_jsonl(tmp_path / "other.jsonl", people[::-1]),
    ]
    with (
        ThreadPoolExecutor(2) as threads,
        psycopg.connect(service.environment["DATABASE_URL"]) as between,
    ):
        between.execute(
            BETWEEN, {"key": people[1]["email"]}
        )  # both stop in the midst, each with its first one
        runs = [threads.submit(service.manage, "import_users", str(file), LANG="C") for file in files]
        wait_until(lambda: service.rows(WAITING) == [(2,)], 40)
        between.rollback()
        said = sorted(run.result().stdout.partition(",")[0] for run in runs)
    assert said == ["0 imported", "3 imported"]
