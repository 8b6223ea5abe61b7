"""Whoever wrote the file that an operator imports wants more than their own account.

Attacker: chooses lines of the file: a user of the old system, or who can alter its dump on the way. Move: broken and
endless lines, other encodings, NULs, doubles, addresses of accounts that exist, roles and columns that are not, hashes
whose cost would stop every login, secrets where none belong. Refusal: each such line is told by number, field and code
and nothing of it is kept, shown or logged; every other line comes; no account that exists changes; the log still
verifies.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.newcomers import SECRET, django_hash, row, write_jsonl
from tests.server import ROOT, Server, running_server

ORDINARY = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
SPY = "a-secret-in-the-wrong-place"
MEMORY_BYTES = 300 * 2**20


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp(f"hostile-{request.param}")
    with running_server(request.param, directory) as server:
        yield server


BAD_ROWS: list[tuple[Any, str, str]] = [
    ("{", "", "malformed_json"),
    ("[" * 5000, "", "malformed_json"),
    ('{"email": "a@example.org", "email": "b@example.org"}', "", "malformed_json"),
    ("[]", "", "not_an_object"),
    ("1" * 5000, "", "malformed_json"),
    ({"model": "auth.group", "fields": {}}, "", "not_a_user"),
    (row(email="nobody"), "email", "not_an_address"),
    (row(email=None), "email", "missing"),
    (row(email=["a@example.org"]), "email", "not_text"),
    (row(email="a\u0000b@example.org"), "email", "not_an_address"),
    (row(email="\ud800@example.org"), "email", "not_an_address"),
    (row(email="a@example.org\r\nBcc: b@example.org"), "email", "not_an_address"),
    (row(password=SPY), "password", "unknown_hash"),
    (row(password=f"md5${SPY}$x"), "password", "unknown_hash"),
    (row(password=7), "password", "not_text"),
    (row(password=ORDINARY.replace("$12$", "$31$")), "password", "excessive_cost"),
    (row(password=django_hash().replace("$1000$", "$1000000000$")), "password", "excessive_cost"),
    (row(password=f"scrypt$1073741824$s$8$1${'A' * 86}=="), "password", "excessive_cost"),
    (row(password="$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43), "password", "excessive_cost"),
    (row(role="root"), "role", "unknown_role"),
    (row(disabled="perhaps"), "disabled", "not_a_boolean"),
    (row(email_verified=[]), "email_verified", "not_a_boolean"),
    (row(created_at="yesterday"), "created_at", "not_a_time"),
    (row(created_at="9999-12-31T23:59:59+00:00"), "created_at", "time_out_of_range"),
    (row(created_at="0001-01-01T00:00:00+23:59"), "created_at", "time_out_of_range"),
    (row(totp_secret=SPY), "totp_secret", "not_base32"),
    (row(totp_secret="MFRA"), "totp_secret", "wrong_length"),
    (row(totp_secret=SECRET, totp_digits=7), "totp_digits", "unsupported"),
    (row(totp_secret=SECRET, totp_algorithm="MD5"), "totp_algorithm", "unsupported"),
    (row(totp_secrets=["A" * 32] * 11), "totp_secrets", "too_many"),
    (row(is_god=True), "is_god", "unknown_field"),
    ({"email": new_email(), SPY: 1}, "", "unknown_field"),
]


def faults(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith('{"line"')]


def test_each_bad_line_is_told_and_every_other_comes(service: Server, tmp_path: Path) -> None:
    good = [row() for _ in range(len(BAD_ROWS) + 1)]
    lines = [each for bad, one in zip(BAD_ROWS, good, strict=False) for each in (one, bad[0])]
    file, report = write_jsonl(tmp_path / "users.jsonl", [*lines, good[-1]]), tmp_path / "errors"
    before = len(service.written())
    done = service.manage("import_users", str(file), "--errors", str(report), check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{len(good)} imported, {len(BAD_ROWS)} refused, 0 skipped")
    told = [json.loads(line) for line in report.read_text().splitlines()]
    wanted = [(2 * place + 2, name, code) for place, (_, name, code) in enumerate(BAD_ROWS)]
    assert [(each["line"], each["field"], each["code"]) for each in told] == wanted
    said = done.stdout + done.stderr + report.read_text() + service.logs()[before:]
    assert "Traceback" not in said
    assert SPY not in said
    assert "pbkdf2_sha256$" not in said
    assert SECRET not in said


def test_other_encodings_endless_lines_and_byte_order_marks(service: Server, tmp_path: Path) -> None:
    kept = [row(), row(), row()]
    first, second, third = (json.dumps(each).encode() for each in kept)
    latin = json.dumps(row(role="\xe9"), ensure_ascii=False).encode("latin-1")
    lines = [b"\xef\xbb\xbf" + first, latin, b'{"email": "' + b"a" * 3_000_000, second, b"\0", b"", third]
    file = tmp_path / "users.jsonl"
    file.write_bytes(b"\r\n".join(lines))
    done = service.manage("import_users", str(file), check=False)
    assert done.stdout.startswith("3 imported, 3 refused, 0 skipped")
    assert [(each["line"], each["code"]) for each in faults(done.stderr)] == [
        (2, "not_utf8"), (3, "too_long"), (5, "null_character"),
    ]  # fmt: skip
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        file.write_bytes(first.decode().encode(encoding))
        refused = service.manage("import_users", str(file), check=False)
        assert refused.returncode
        assert "not UTF-8 but UTF-16 or binary" in refused.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the names of the columns are expected"),
        ('"email,password\n', "the names of the columns are expected"),
        ('"email"x,password\n', "the names of the columns are expected"),
        ("email,passwrd\n", "column 2 has no known name"),
        ("email,email\n", "a column stands twice"),
        ("password\n", "there is no column email"),
    ],
)
def test_a_table_without_known_columns_is_refused_whole(
    service: Server, tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "users.csv"
    file.write_text(text)
    done = service.manage("import_users", str(file), check=False)
    assert done.returncode
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_rows_of_a_table_cost_nothing_but_themselves(service: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    hashed = django_hash()
    lines = ["email;password", f"{new_email()};{hashed}", f'"{new_email()};{hashed}', new_email(),
             f"{new_email()};{hashed};x", f'{new_email()};"{hashed}"']  # fmt: skip
    file.write_text("\n".join(lines))
    done = service.manage("import_users", str(file), check=False)
    assert done.stdout.startswith("2 imported, 3 refused")
    assert [(each["line"], each["code"]) for each in faults(done.stderr)] == [
        (3, "malformed_csv"), (4, "wrong_number_of_cells"), (5, "wrong_number_of_cells"),
    ]  # fmt: skip


def test_a_dump_that_ends_in_nonsense_keeps_what_came_before(service: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    one = {"model": "auth.user", "pk": 1, "fields": {"email": new_email(), "password": django_hash()}}
    for tail in ('{"model"', "nonsense]", '{"a": "' + "x" * 300_000):
        file.write_text(f"[{json.dumps(one)}, {tail}")
        done = service.manage("import_users", str(file), "--batch", "1", check=False)
        assert done.returncode
        assert "object 2 is not JSON" in done.stderr
    count = "SELECT count(*) FROM secure_auth_user WHERE email = %s"
    assert service.rows(count, [one["fields"]["email"]]) == [(1,)]  # type: ignore[index]


def test_no_account_that_exists_is_touched(service: Server, tmp_path: Path) -> None:
    client = Client(service, new_address())
    victim = client.create_person(role="admin")
    before = service.rows("SELECT * FROM secure_auth_user WHERE email = %s", [victim.email])
    evil = row(email=victim.email.upper(), password=django_hash("the attacker's own"), totp_secret=SECRET)
    twice = new_email("twice")
    rows = [evil, row(email=twice), row(email=twice.title(), password=django_hash("another"))]
    done = service.manage("import_users", str(write_jsonl(tmp_path / "users.jsonl", rows)))
    assert done.stdout.startswith("1 imported, 0 refused, 2 skipped")
    assert [(each["line"], each["code"]) for each in faults(done.stderr)] == [
        (1, "account_exists"), (3, "duplicate"),
    ]  # fmt: skip
    assert service.rows("SELECT * FROM secure_auth_user WHERE email = %s", [victim.email]) == before
    expect(client.me(victim.access), 200)
    expect(client.login(Person(twice)), 200)
    expect(client.login(Person(twice, "another")), 401)
    client.close()
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")


def test_a_long_password_at_a_bcrypt_hash_is_a_wrong_one(service: Server, tmp_path: Path) -> None:
    """bcrypt reads 72 bytes, and its library refuses more: no error may come of it."""
    moved = row(password=ORDINARY.replace("$12$", "$04$"))
    service.manage("import_users", str(write_jsonl(tmp_path / "users.jsonl", [moved])))
    client = Client(service, new_address())
    expect(client.login(Person(moved["email"]), "p" * 1000), 401)
    client.close()


def test_memory_does_not_grow_with_the_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A dry run over a file larger than the memory that the process may have."""
    directory = tmp_path_factory.mktemp("large")
    file = directory / "users.jsonl"
    filler = "x" * 60_000
    with file.open("w") as out:
        for number in range(5_500):
            out.write(json.dumps({"email": f"n{number}@example.org", "first_name": filler}) + "\n")
    assert file.stat().st_size > MEMORY_BYTES
    environment = {"PATH": "/usr/bin:/bin", "DATA_DIR": str(directory / "data")}

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))

    done = subprocess.run(
        [sys.executable, "manage.py", "import_users", str(file), "--dry-run"],
        cwd=ROOT, env=environment, preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    file.unlink()
    assert done.stdout.startswith("5500 would be imported, 0 refused"), done.stderr[-2000:]
