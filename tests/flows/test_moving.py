"""import_users and export_users: accounts come with their passwords and authenticators, once, and move away whole."""

import csv
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.authenticator import Authenticator
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.dying import die_in
from tests.newcomers import SECRET, django_hash, hashes, row, write_jsonl
from tests.server import ROOT, Server, running_server
from tests.services import private_database, require


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp(f"moving-{request.param}")
    with running_server(request.param, directory) as server:
        yield server


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    client = Client(service, new_address())
    yield client
    client.close()


def stored(server: Server, email: str) -> str:
    return str(server.rows("SELECT password FROM secure_auth_user WHERE email = %s", [email])[0][0])


def count(server: Server, like: str) -> int:
    return int(server.rows("SELECT count(*) FROM secure_auth_user WHERE email LIKE %s", [like])[0][0])


@pytest.mark.parametrize("wrap", [False, True])
def test_every_kind_of_hash_signs_in_and_is_replaced(
    service: Server, client: Client, tmp_path: Path, wrap: bool
) -> None:
    rows = [row(password=hash_) for hash_ in hashes().values()]
    file = write_jsonl(tmp_path / "users.jsonl", rows)
    said = service.manage("import_users", str(file), *(["--wrap"] if wrap else [])).stdout
    assert said.startswith(f"{len(rows)} imported, 0 refused, 0 skipped")
    assert "told by time" in said
    for each in rows:
        began = stored(service, each["email"])
        is_argon2 = "$argon2id" in each["password"]
        assert began.startswith("argon2$") == is_argon2
        assert began.startswith("wrapped$") == (wrap and not is_argon2)
        person = Person(each["email"])
        visitor = Client(service, new_address())
        assert code_of(visitor.login(person, "a wrong passphrase")) == "invalid_credentials"
        assert expect(visitor.login(person), 200)["next"] == "enroll"
        assert stored(service, each["email"]).startswith("argon2$argon2id$")
        expect(visitor.login(person), 200)
        visitor.close()


def test_totp_role_and_dates_come_along(service: Server, client: Client, tmp_path: Path) -> None:
    moved = row(
        totp_secret="jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp",
        role="auditor",
        created_at="2020-02-03T04:05:06Z",
    )
    service.manage("import_users", str(write_jsonl(tmp_path / "users.jsonl", [moved])))
    person = Person(moved["email"], authenticator=Authenticator(SECRET))
    client.sign_in(person)
    assert expect(client.me(person.access), 200)["roles"] == ["auditor"]
    (event,) = expect(client.get("audit/events/?type=account.create&limit=1", person.access), 200)["results"]
    assert event["details"]["authenticators"] == 1
    assert len(event["details"]["imported"]) == 64
    done = expect(client.get("audit/events/?type=users.import&limit=1", person.access), 200)["results"]
    assert done[0]["details"] | {"imported": ""} == {
        "accounts": 1, "refused": 0, "skipped": 0, "wrapped": False, "imported": "",
    }  # fmt: skip
    assert SECRET not in str(service.rows("SELECT * FROM mfa_totpauthenticator"))


def test_a_password_without_a_factor_needs_the_mailbox_too(
    service: Server, client: Client, tmp_path: Path
) -> None:
    """A stolen copy of the old system's passwords binds no authenticator here."""
    moved = row()
    service.manage("import_users", str(write_jsonl(tmp_path / "users.jsonl", [moved])))
    partial = expect(client.login(Person(moved["email"])), 200)["partial_token"]
    assert code_of(client.post("mfa/totp/", {}, partial)) == "invalid_link"
    token = client.mailbox(Person(moved["email"])).wait_for_token()
    expect(client.post("mfa/totp/", {"token": token}, partial), 201)


def test_unusable_unverified_and_disabled_accounts(service: Server, client: Client, tmp_path: Path) -> None:
    unusable, unverified = row(password="!" + "x" * 40), row(email_verified=False, totp_secret=SECRET)
    disabled = row(disabled=True)
    file = write_jsonl(tmp_path / "users.jsonl", [unusable, unverified, disabled])
    service.manage("import_users", str(file))
    for each in (unusable, unverified, disabled):
        assert code_of(client.login(Person(each["email"]))) == "invalid_credentials"
    for each in (unusable, unverified):
        person = Person(each["email"], "a new passphrase 42")
        expect(client.post("password/reset/", {"email": person.email}), 202)
        token = client.mailbox(person).wait_for_token()
        body = {"token": token, "new_password": person.password}
        expect(client.post("password/reset/confirm/", body), 204)
        assert expect(client.login(person), 200)["next"] == "enroll"


def django_rows(count: int) -> list[dict[str, Any]]:
    common = {"first_name": "", "last_name": "", "is_staff": False, "is_superuser": True, "last_login": None}
    return [
        {
            "model": "auth.user",
            "pk": number,
            "fields": {
                **common,
                "username": f"u{number}",
                "email": new_email("django"),
                "password": django_hash(),
                "is_active": True,
                "date_joined": "2021-01-02T03:04:05.678Z",
                "groups": [],
                "user_permissions": [],
            },
        }
        for number in range(1, count + 1)
    ]


def test_django_dump_and_database(service: Server, client: Client, tmp_path: Path) -> None:
    dumped = django_rows(300)
    file = tmp_path / "users.json"
    file.write_text(json.dumps(dumped, indent=1))
    assert service.manage("import_users", str(file)).stdout.startswith("300 imported, 0 refused")
    assert expect(client.login(Person(dumped[-1]["fields"]["email"])), 200)["next"] == "enroll"
    assert service.rows(
        "SELECT role FROM secure_auth_user WHERE email = %s", [dumped[0]["fields"]["email"]]
    ) == [("",)]

    kept = [each["fields"] for each in django_rows(3)]
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE auth_user (id, username, email, password, is_active, date_joined)")
        for number, one in enumerate(kept, 1):
            values = (number, one["username"], one["email"], one["password"], 1, "2021-01-02 03:04:05")
            database.execute("INSERT INTO auth_user VALUES (?, ?, ?, ?, ?, ?)", values)
    database.close()
    url = f"sqlite:///{path}"
    assert service.manage("import_users", "--database", url).stdout.startswith("3 imported")
    assert service.manage("import_users", "--database", url).stdout.startswith(
        "0 imported, 0 refused, 3 skipped"
    )
    expect(client.login(Person(kept[2]["email"])), 200)


@pytest.mark.postgres
def test_django_database_in_postgresql(service: Server, client: Client) -> None:
    require("postgres")
    kept = [each["fields"] for each in django_rows(3)]
    with private_database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(
                "CREATE TABLE auth_user (id serial, username text, email text, password text, is_active bool, "
                "date_joined timestamptz)"
            )
            for one in kept:
                connection.execute(
                    "INSERT INTO auth_user (username, email, password, is_active, date_joined) "
                    "VALUES (%s, %s, %s, %s, %s)",
                    [one["username"], one["email"], one["password"], True, one["date_joined"]],
                )
        done = service.manage("import_users", "--database", url)
        assert done.stdout.startswith("3 imported")
    expect(client.login(Person(kept[2]["email"])), 200)
    refused = service.manage("import_users", "--database", "mysql://root@localhost/x", check=False)
    assert "--database takes sqlite:///PATH or postgres://" in refused.stderr


def test_two_runs_at_once_make_each_account_once(service: Server, tmp_path: Path) -> None:
    tag = new_email("both").partition("@")[0]
    rows = [row(email=f"{tag}-{number}@example.org") for number in range(60)]
    command = ("import_users", str(write_jsonl(tmp_path / "users.jsonl", rows)), "--batch", "5")
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(service.manage, *command, check=False) for _ in range(2)]
        done = [run.result() for run in runs]
    assert 0 in [one.returncode for one in done]
    assert all("another run imports the same file" in one.stderr for one in done if one.returncode)
    assert count(service, f"{tag}-%") == 60


def test_dry_run_writes_nothing(service: Server, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "users.jsonl", [row(), row(password="md5$x$y")])
    before = service.rows("SELECT count(*) FROM audit_event")
    done = service.manage("import_users", str(file), "--dry-run", check=False)
    assert (done.returncode, done.stdout.splitlines()[0][:30]) == (1, "1 would be imported, 1 refused")
    assert '{"line": 2, "field": "password", "code": "unknown_hash", "result": "refused"}' in done.stderr
    assert service.rows("SELECT count(*) FROM audit_event") == before


@pytest.mark.parametrize(
    "line",
    [
        "secure_auth.transfer.loading.append",  # within the first transaction
        "secure_auth.transfer.loading._sum",  # after the first commit
        "secure_auth.transfer.loading._finish",  # after the last
    ],
)
def test_a_run_that_died_is_continued_and_nothing_comes_twice(
    service: Server, tmp_path: Path, line: str
) -> None:
    tag = new_email("died").partition("@")[0]
    rows = [row(email=f"{tag}-{number}@example.org", totp_secret=SECRET) for number in range(25)]
    file, report = (
        write_jsonl(tmp_path / "users.jsonl", [*rows[:3], "broken", *rows[3:]]),
        tmp_path / "errors",
    )
    command = ("import_users", str(file), "--batch", "10", "--errors", str(report))
    die_in(service, line, *command)
    came = count(service, f"{tag}-%")
    assert came == {"append": 0, "_sum": 9, "_finish": 25}[line.rpartition(".")[2]]
    done = service.manage(*command, check=False)
    assert f"{25 - came} imported" in done.stdout
    assert count(service, f"{tag}-%") == 25
    joined = "mfa_totpauthenticator t JOIN secure_auth_user u ON u.id = t.user_id"
    own = f"SELECT count(*) FROM {joined} WHERE u.email LIKE %s"
    assert service.rows(own, [f"{tag}-%"]) == [(25,)]
    ids = [
        each[0] for each in service.rows("SELECT id FROM secure_auth_user WHERE email LIKE %s", [f"{tag}-%"])
    ]
    marks = ", ".join(["%s"] * len(ids))
    told = f'SELECT count(*) FROM audit_personaldata WHERE "user" IN ({marks})'
    assert service.rows(told, ids) == [(25,)]
    assert [json.loads(each)["line"] for each in report.read_text().splitlines()] == [4]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_report_of_a_run_that_died_is_kept_by_one_that_dies_at_once(service: Server, tmp_path: Path) -> None:
    rows = [*(["broken"] * 10), row(), *(["broken"] * 10)]
    report = tmp_path / "errors"
    command = (
        "import_users",
        str(write_jsonl(tmp_path / "users.jsonl", rows)),
        "--batch",
        "10",
        "--errors",
        str(report),
    )
    die_in(service, "secure_auth.transfer.loading._sum", *command)
    with report.open("a") as torn:
        torn.write('{"line": 12, "fie')
    die_in(service, "secure_auth.transfer.loading._import_batch", *command)
    service.manage(*command, check=False)
    told = [json.loads(each)["line"] for each in report.read_text().splitlines()]
    assert told == [*range(1, 11), *range(12, 22)]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_report_never_replaces_the_file_that_is_read(
    service: Server, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = write_jsonl(tmp_path / "users.jsonl", [row()])
    told, other = file.read_text(), tmp_path / "errors"
    other.hardlink_to(file)
    for report in (file, other):
        refused = service.manage("import_users", str(file), "--errors", str(report), *options, check=False)
        assert refused.returncode == 1
        assert refused.stderr == "CommandError: --errors names the file itself: the report would replace it\n"
        assert file.read_text() == told


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_what_is_exported_comes_back_the_same(
    service: Server, tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    directory = tmp_path_factory.mktemp("away")
    formula = row(email=new_email("=cmd"), totp_secrets=[SECRET, "MFRGGZDFMZTWQ2LKNNWG23TPOA======"])
    rows = [
        row(totp_secret=SECRET, role="admin", created_at="2020-01-01T00:00:00Z"),
        row(totp_secrets=[SECRET, f"SHA256/8:{SECRET}"]),
        row(totp_secret=SECRET, totp_algorithm="SHA-512", totp_digits=8),
        row(password=""),
        formula,
    ]
    rows.append(row(disabled=True))
    service.manage("import_users", str(write_jsonl(directory / "in.jsonl", rows)), "--wrap")
    out = directory / f"out.{form}"
    told = service.manage("export_users", "--out", str(out), "--format", form, "--with-hashes", "--with-totp")
    assert "guess passwords without any limit" in told.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with running_server("sqlite", tmp_path_factory.mktemp("new"), worker=False) as other:
        assert ", 0 refused, 0 skipped" in other.manage("import_users", str(out)).stdout
        again = directory / f"again.{form}"
        other.manage("export_users", "--out", str(again), "--format", form, "--with-hashes", "--with-totp")
        assert sorted(again.read_text().splitlines()) == sorted(out.read_text().splitlines())
        client = Client(other, new_address())
        client.sign_in(Person(rows[0]["email"], authenticator=Authenticator(SECRET)))
        client.close()
    if form == "csv":
        with out.open(newline="") as file:
            assert not [cell for line in csv.reader(file) for cell in line if cell[:1] in "=+-@" and cell]


def test_secrets_leave_only_when_asked_for_and_never_over_a_file(service: Server, tmp_path: Path) -> None:
    service.manage("import_users", str(write_jsonl(tmp_path / "in.jsonl", [row(totp_secret=SECRET)])))
    said = service.manage("export_users").stdout
    assert all(
        set(json.loads(line)) == {"email", "role", "email_verified", "disabled", "created_at"}
        for line in said.splitlines()
    )
    assert SECRET not in said
    there = tmp_path / "there"
    there.write_text("mine")
    refused = service.manage("export_users", "--out", str(there), check=False)
    assert refused.returncode
    assert "is there already" in refused.stderr
    assert there.read_text() == "mine"


def test_an_export_is_never_named_by_another_one(service: Server, tmp_path: Path) -> None:
    out, draft = tmp_path / "users.jsonl", tmp_path / ".users.jsonl.part"
    draft.write_text("half of another export")
    refused = service.manage("export_users", "--out", str(out), check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"CommandError: {draft} is there: of another export, or of a killed one")
    assert draft.read_text() == "half of another export"
    draft.unlink()
    service.manage("export_users", "--out", str(out))
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("number", ["0b1c", -4])
def test_ids_that_no_run_could_go_on_by_are_one_clear_line(
    service: Server, tmp_path: Path, number: str | int
) -> None:
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE auth_user (id, username, email, password, is_active, date_joined)")
        values = (number, "ada", new_email(), "!", 1, "2021-01-02 03:04:05")
        database.execute("INSERT INTO auth_user VALUES (?, ?, ?, ?, ?, ?)", values)
    database.close()
    refused = service.manage("import_users", "--database", f"sqlite:///{path}", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "CommandError: an id of auth_user is no number above 0: import what dumpdata writes\n"
    )


DECOYS = """
import django; django.setup()
from secure_auth import decoys
found = [decoys.find_decoy(f"nobody{n}@example.org") for n in range(2000)]
print(sum(map(bool, found)) / 2000, decoys._old.share, {decoys.describe_kind(one) for one in found if one})
"""


def test_addresses_without_an_account_do_the_old_work_in_the_same_share(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False) as server:
        for _ in range(2):
            server.create_user(new_email(), PASSWORD)
        server.manage("import_users", str(write_jsonl(tmp_path / "in.jsonl", [row() for _ in range(6)])))
        done = subprocess.run(
            [sys.executable, "-c", DECOYS],
            cwd=ROOT,
            env={**server.environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"},
            capture_output=True,
            text=True,
            check=True,
        )
        imitated, share, kinds = done.stdout.split(maxsplit=2)
        assert float(share) == 0.75
        assert 0.70 < float(imitated) < 0.80
        assert kinds.startswith("{'pbkdf2_sha256$1000")
