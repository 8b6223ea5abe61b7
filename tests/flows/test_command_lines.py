"""Whatever stands in the way of a command, it is one clear line and a non-zero status."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import ROOT, Server, running_server

WRONG_ARGUMENTS = [
    ("serve", "--nonsense"),
    ("worker", "--nonsense"),
    ("demo", "--nonsense"),
    ("witness", "--listen", "nowhere"),
    ("check_proof",),
    ("verify_log", "--nonsense"),
    ("create_user", "ada@example.org", "--role", "admin", "--role", "auditor"),
    ("reset_mfa", "ada@example.org", "--reason", "lost phone", "--reaso=another"),
    ("webhooks", "retry", "1", "--reason", "mended", "--reason", "again"),
    ("limits", "show"),
    ("webhooks", "retry"),
    ("erase_user", "ada@example.org", "--reason", ""),
    ("change_email", "ada@example.org", "new@example.org", "--reason", " "),
    ("new_log", "--reason", ""),
    ("prune", "--older-than", "999999d"),
    ("prune", "--older-than", "999999h"),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("sqlite", tmp_path_factory.mktemp("commands"), nodes=0) as server:
        server.manage("create_client", "first")  # with the first command come the keys
        yield server


def said(server: Server, line: str, **environment: str) -> str:
    """What a shell's line, in which `manage` is the command, says on standard error; it must fail in one line."""
    script = f'manage() {{ "{sys.executable}" manage.py "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=ROOT,
        env={**server.environment, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    lines = [one for one in done.stderr.decode(errors="replace").splitlines() if not one.startswith("{")]
    assert done.returncode in (1, 2), done
    assert len(lines) == 1, done.stderr.decode(errors="replace")
    return lines[0]


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS, ids=" ".join)
def test_wrong_arguments_are_one_line(installation: Server, arguments: tuple[str, ...]) -> None:
    done = installation.manage(*arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("; --help tells more\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("manage create_user ada@example.org <&-", "standard input is closed"),
        (r"printf '\377\376 nine green lamps\n' | manage create_user ada@example.org", "UTF-8"),
        (r"manage unlock $'ada\377@example.org'", "UTF-8"),
        ("manage create_client unheard >&-", "standard output is closed"),
        ("EMAIL_URL=smtp://127.0.0.1:1 manage sendtestemail ada@example.org", "Connection refused"),
        (
            "EMAIL_URL='postmark://key@?api_url=http://127.0.0.1:1/' manage sendtestemail ada@example.org",
            "the mail was not taken: AnymailRequestsAPIError",
        ),
        ("manage sendtestemail ''", "this is not an e-mail address"),
        ("DATABASE_URL=postgres://ada@127.0.0.1:1/auth manage verify_log", "the log cannot be read"),
        ("manage outbox --retry ''", "not among the given up mails"),
        ("manage outbox --drop ''", "not among the given up mails"),
        ("manage create_client ' billing'", "no blank"),
        ("manage export_users --out ''", "is there already"),
        ("manage export_users --out /", "is there already"),
        ("manage limits show 192.0.2.1 >/dev/full", "No space left on device"),
        ("manage create_client full >/dev/full", "No space left on device"),
        ("manage verify_log >/dev/full", "No space left on device"),
        ("manage import_users --database postgres://ada:se/cret@127.0.0.1/shop", "by percent"),
        ("manage import_users --database 'postgres://ada:se[cret@127.0.0.1/shop'", "by percent"),
    ],
)
def test_what_stands_in_the_way_is_one_line(installation: Server, line: str, told: str) -> None:
    assert told in said(installation, line)


def test_reader_that_left_is_one_line(installation: Server) -> None:
    assert "Broken pipe" in said(installation, "manage verify_log | true")


def test_database_that_fails_meanwhile_is_one_line(installation: Server) -> None:
    installation.rows(
        "CREATE TRIGGER full BEFORE INSERT ON secure_auth_outboxmessage "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    try:
        told = said(installation, "manage invite ada@example.org")
    finally:
        installation.rows("DROP TRIGGER full")
    assert told == "CommandError: the database is not usable: database or disk is full"


def test_embedded_database_that_is_none_is_told_by_its_directory(
    installation: Server, tmp_path: Path
) -> None:
    (tmp_path / "secure_auth.sqlite3").write_bytes(b"no database" * 100)
    told = said(installation, "manage create_client unheard", DATA_DIR=str(tmp_path))
    assert told == "CommandError: DATA_DIR: the database is not usable: file is not a database"


def test_log_beside_a_disk_that_takes_no_writing_is_judged(installation: Server) -> None:
    """A copy of evidence is mounted read-only: to judge it changes nothing."""
    installation.manage("create_client", "before")
    kept = installation.data_dir / "verify-log.json"
    kept.mkdir()  # what cannot be unlinked, whoever asks
    try:
        assert installation.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    finally:
        kept.rmdir()


@pytest.mark.parametrize(
    "line",
    [
        "rotate_keys --master",
        "prune --older-than 400d --yes",
        "outbox",
        "export_users",
        "unlock ada@example.org",
        "revoke_client 1",
        "new_log --reason restored",
        "axes_reset",
        "axes_list_attempts",
        "limits show ada@example.org",
        "list_clients",
        "list_invitations",
        "webhooks list",
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_other_environment_than_the_services_is_told_and_makes_no_installation(
    installation: Server, tmp_path: Path, line: str, is_there: bool
) -> None:
    """Else an operator who forgets DATA_DIR is told that all is done, in an installation that nobody has."""
    directory = tmp_path / "none"
    if is_there:
        directory.mkdir()
    told = said(installation, f"manage {line}", DATA_DIR=str(directory))
    assert told == "CommandError: no installation is here; give the service's environment"
    assert list(tmp_path.rglob("*")) == [directory] * is_there


def test_mail_that_is_sent_to_try_it_is_a_file_where_no_server_is(installation: Server) -> None:
    before = set(installation.data_dir.glob("outbox/*"))
    installation.manage("sendtestemail", "ada@example.org")
    (file,) = set(installation.data_dir.glob("outbox/*")) - before
    assert "To: ada@example.org" in file.read_text()
