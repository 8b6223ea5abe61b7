"""A node whose database role and Redis user have what docs/running.md says they need, and no more."""

import re
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.logs import wait_for_entries
from tests.server import ROOT, Server, running_server

RUNNING = (ROOT / "docs" / "running.md").read_text()
INDEX_TEXT = (
    "from audit import textindex; textindex.BLOCK, textindex.SETTLE_SECONDS = 4, 0; textindex.advance()"
)
PRUNE = ("prune", "--older-than", "1s", "--yes")

pytestmark = pytest.mark.xdist_group("least rights")  # whose service is made once


def documented_grants(role: str) -> str:
    """The SQL of the section on roles."""
    (statements,) = re.findall(r"```sql\n(GRANT .*?)```", RUNNING, re.DOTALL)
    return str(statements).replace("secure_auth;", f"{role};")


def documented_commands() -> list[str]:
    """What the user of Redis is said to need."""
    (told,) = re.findall(r"Its user needs (.*?)where the URL names a database", RUNNING, re.DOTALL)
    return [f"+{name.lower()}" for name in re.findall(r"`([A-Z]+)`", told)]


def as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, psycopg.Connection]]:
    """Two nodes: one of the owner of the tables, without a worker, and then one that has no such rights."""
    name, password = f"sa_test_{secrets.token_hex(6)}", secrets.token_hex(16)
    with running_server("postgres+redis", tmp_path_factory.mktemp("rights"), worker=False) as server:
        owner, counts = server.environment["DATABASE_URL"], server.environment["REDIS_URL"]
        with redis.Redis.from_url(counts) as admin, psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
            try:
                connection.execute(documented_grants(name).encode())
                rights = ["on", f">{password}", "~limit:*", *documented_commands()]
                admin.execute_command("ACL", "SETUSER", name, *rights)
                server.environment |= {
                    "DATABASE_URL": as_user(owner, name, password),
                    "REDIS_URL": as_user(counts, name, password),
                }
                server.start_node()
                yield server, connection
            finally:
                server.stop()
                admin.execute_command("ACL", "DELUSER", name)
                connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


@pytest.fixture(scope="module")
def service(stage: tuple[Server, psycopg.Connection]) -> Server:
    return stage[0]


@pytest.fixture(scope="module")
def owner(stage: tuple[Server, psycopg.Connection]) -> psycopg.Connection:
    return stage[1]


@pytest.fixture(scope="module")
def client(service: Server) -> Iterator[Client]:
    client = Client(service, new_address(), node=1)
    yield client
    client.close()


@pytest.fixture(scope="module")
def auditor(client: Client) -> Person:
    return client.create_person(role="auditor")


def test_a_life_of_an_account(service: Server, client: Client) -> None:
    person = client.sign_up()
    expect(client.refresh(person.refresh), 200)
    person = client.sign_in(person, remember_device=True)
    expect(client.me(person.access), 200)
    expect(client.post("mfa/recovery-codes/", {}, person.access), 200)
    client.login(person, "a wrong passphrase")
    expect(client.post("logout/", {}, person.access), 204)
    service.manage("erase_user", person.email, "--reason", "asked for")
    wait_for_entries(service)


def test_limits_are_counted_in_redis(service: Server, client: Client) -> None:
    client.login(Person(new_email()), "a wrong passphrase")
    url = service.environment["REDIS_URL"]
    with redis.Redis.from_url(url) as own, pytest.raises(redis.exceptions.NoPermissionError):
        own.keys("*")
    assert service.rows("SELECT count(*) FROM audit_event WHERE type = 'limit.store'") == [(0,)]


def test_what_the_worker_does_fails_nowhere(service: Server, auditor: Person, client: Client) -> None:
    expect(client.get("audit/events/?q=login", auditor.access), 200)
    service.rows("UPDATE secure_auth_key SET created_at = '2020-01-01'")
    service.manage("rotate_keys", "--purpose", "signing")
    wait_for_entries(service)
    service.manage("shell", "--no-imports", "-c", INDEX_TEXT)  # the worker's begins with 64 events
    assert service.rows("SELECT count(grams) > 0 FROM audit_textblock") == [(True,)]
    for trouble in ("worker.duty_failed", "worker.duty_broken", "permission denied"):
        assert trouble not in service.logs()
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("audit_event", "id"),
        ("audit_entry", "event"),
        ("audit_personaldata", "ip"),
        ("audit_retention", "cutoff"),
    ],
)
def test_the_log_cannot_be_rewritten_nor_its_triggers_dropped(
    service: Server, table: str, column: str
) -> None:
    trigger = f"ALTER TABLE {table} DISABLE TRIGGER ALL"
    for statement in (
        f"UPDATE {table} SET {column} = {column}",
        f"TRUNCATE {table}",
        trigger,
        f"DROP TABLE {table}",
    ):
        with pytest.raises(psycopg.Error, match=r"permission denied|must be owner"):
            service.rows(statement)


def test_prune_refuses_before_it_has_done_anything(service: Server) -> None:
    before = service.rows("SELECT count(*) FROM audit_event WHERE type = 'audit.prune'")
    done = service.manage(*PRUNE, check=False)
    assert done.returncode
    assert "may not delete from audit_event: nothing was done" in done.stderr
    assert service.rows("SELECT count(*) FROM audit_event WHERE type = 'audit.prune'") == before
    assert service.rows("SELECT count(*) FROM audit_retention") == [(0,)]


def said_at_start(service: Server) -> str:
    done = service.manage("create_client", "never", check=False)
    assert done.returncode
    (line,) = [one for one in done.stderr.splitlines() if not one.startswith("{")]
    return line


def test_table_that_was_not_granted_is_named_instead_of_a_start(
    service: Server, owner: psycopg.Connection
) -> None:
    role, table = urlsplit(service.environment["DATABASE_URL"]).username, "secure_auth_invitation"
    owner.execute(f"REVOKE ALL ON {table} FROM {role}".encode())
    try:
        line = said_at_start(service)
    finally:
        owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}".encode())
    assert line.startswith(f"CommandError: this database role may not read {table}: grant it")


def test_migration_that_the_role_may_not_run_is_told_with_what_to_do(
    service: Server, owner: psycopg.Connection
) -> None:
    newest = "SELECT max(id) FROM django_migrations WHERE app = 'secure_auth'"
    (row,) = owner.execute(
        f"DELETE FROM django_migrations WHERE id = ({newest}) RETURNING app, name, applied".encode()
    ).fetchall()
    try:
        line = said_at_start(service)
    finally:
        owner.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)
    assert line.startswith("CommandError: migrations are to be run, and this role may not (")
    assert line.endswith("): run `migrate` as the owner of the tables")
