"""The first start, the next ones, and the ones that must not be."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import services
from tests.client import Client, expect
from tests.conftest import new_address
from tests.server import NEEDS, Server, running_server

pytestmark = pytest.mark.xdist_group("starting")
MASTER_KEY = "master.key"
NOBODY = 65534


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Server]:
    """An installation without running nodes."""
    with running_server("sqlite", tmp_path, nodes=0, first_start=True) as server:
        yield server


def start(server: Server, **environment: str) -> str:
    """Prepare the installation as `serve` does at its start; what it says at last on standard error."""
    said = server.manage("create_user", "no address", check=False, **environment).stderr
    return "\n".join(line for line in said.splitlines() if not line.startswith("{"))


READY = "CommandError: this is not an e-mail address"


def test_first_start_makes_everything_private(stopped: Server) -> None:
    assert start(stopped) == READY
    assert stat.S_IMODE(stopped.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((stopped.data_dir / MASTER_KEY).stat().st_mode) == 0o600
    assert stopped.rows("SELECT count(*) FROM secure_auth_key") == [(8,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="wants root")
@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_what_a_first_command_of_roots_makes_is_the_owners_of_the_directory(
    backend: str, tmp_path: Path
) -> None:
    """An operator makes the first admin by sudo, in the directory that systemd made for the service."""
    services.require(*NEEDS[backend])
    with running_server(backend, tmp_path, nodes=0, first_start=True) as server:
        server.data_dir.mkdir(mode=0o700)
        os.chown(server.data_dir, NOBODY, NOBODY)
        assert start(server) == READY
        made = list(server.data_dir.iterdir())
        assert made
        assert [path.name for path in made if path.stat().st_uid != NOBODY] == []


def test_open_data_directory_is_closed_again(stopped: Server) -> None:
    stopped.data_dir.mkdir(mode=0o755)
    left = stopped.data_dir / "start.lock"
    left.touch(0o644)
    assert start(stopped) == READY
    assert stat.S_IMODE(stopped.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(left.stat().st_mode) == 0o600


def test_second_start_keeps_keys_sessions_and_secrets(stopped: Server) -> None:
    stopped.start_node()
    client = Client(stopped, new_address())
    person = client.sign_up()
    published = expect(client.get("/.well-known/jwks.json"), 200)
    key = (stopped.data_dir / MASTER_KEY).read_bytes()
    stopped.stop()
    stopped.nodes.clear()
    stopped.start_node()
    assert (stopped.data_dir / MASTER_KEY).read_bytes() == key
    assert expect(client.get("/.well-known/jwks.json"), 200) == published
    expect(client.me(person.access), 200)
    client.sign_in(person)
    client.close()


def test_missing_master_key_beside_rings_refuses_to_start(stopped: Server) -> None:
    assert start(stopped) == READY
    (stopped.data_dir / MASTER_KEY).unlink()
    said = start(stopped)
    assert "master.key is missing, and key rings exist" in said
    assert said.count("\n") == 0
    assert not (stopped.data_dir / MASTER_KEY).exists()


def test_foreign_master_key_refuses_to_start(stopped: Server) -> None:
    assert start(stopped) == READY
    said = start(stopped, MASTER_KEY="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    assert said == "CommandError: the master key does not open the key rings in the database"


def test_given_master_key_needs_no_file(stopped: Server) -> None:
    assert (
        start(stopped, MASTER_KEY="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") == READY
    )
    assert not (stopped.data_dir / MASTER_KEY).exists()


def test_master_key_file_of_bare_bytes_is_one_line(stopped: Server, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(200, 232)))
    path.chmod(0o600)
    told = f"CommandError: {path} does not hold a key of 32 random bytes in base64 or hexadecimal"
    assert start(stopped, MASTER_KEY_FILE=str(path)) == told


@pytest.mark.parametrize("password", ["hunter2@more", "hunter2%more", "hunter2 more"])
def test_password_that_was_not_encoded_is_not_told(stopped: Server, password: str) -> None:
    said = start(stopped, DATABASE_URL=f"postgres://someone:{password}@127.0.0.1:1/auth")
    assert "DATABASE_URL: the database is not usable" in said
    assert "port 1 failed" in said  # that of the URL, not the usual one
    assert "hunter2" not in said
    assert "more" not in said
    assert said.count("\n") == 0


def test_starts_at_once_make_one_ring(stopped: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: start(stopped), range(4))) == {READY}
    assert stopped.rows("SELECT count(*) FROM secure_auth_key") == [(8,)]
    assert stopped.rows("SELECT count(*) FROM audit_event WHERE type = 'key.create'") == [(8,)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("ORIGIN", "localhost:8000"),
        ("ORIGIN", "https://auth.example.com/path"),
        ("ORIGIN", "https://auth.example.com"),
        ("MASTER_KEY", "c2hvcnQ="),
        ("MASTER_KEY", "0" * 64),
        ("DATABASE_URL", "mysql://root@localhost/x"),
        ("EMAIL_URL", "http://localhost"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("ACCESS_TOKEN_SECONDS", "0"),
        ("SESSION_IDLE_SECONDS", "99999999"),
        ("SIGNING_ALGORITHM", "HS256"),
        ("LIMIT_REQUESTS", "many"),
        ("LIMIT_NOTHING", "1"),
        ("CORS_ORIGINS", "*"),
        ("PASSWORD_MIN_LENGTH", "4"),
    ],
)
def test_bad_setting_stops_the_start_with_one_line_that_names_it(
    stopped: Server, name: str, value: str
) -> None:
    done = stopped.manage("create_user", "x", check=False, **{name: value})
    said = done.stderr.strip()
    assert done.returncode != 0
    assert name in said or (name == "ORIGIN" and "ORIGIN" in said)
    assert said.count("\n") == 0, said
    assert "Traceback" not in said
    if name == "MASTER_KEY":
        assert value not in said
    assert not stopped.data_dir.exists()


PRINTS_KEY = "python3 -c 'import base64; print(base64.b64encode(bytes(range(32))).decode())'"


def test_master_key_of_a_command_or_a_file_seals_the_rings(stopped: Server, tmp_path: Path) -> None:
    assert start(stopped, MASTER_KEY_COMMAND=PRINTS_KEY) == READY
    assert not (stopped.data_dir / MASTER_KEY).exists()
    file = tmp_path / "mounted"
    file.write_text(bytes(range(32)).hex() + "\n")
    assert start(stopped, MASTER_KEY_FILE=str(file)) == READY
    assert "does not open the key rings" in start(stopped)[:2000] or "MASTER_KEY" in start(stopped)


def test_master_key_file_that_others_can_read_is_named(stopped: Server, tmp_path: Path) -> None:
    """On a loopback name a warning, in production a refusal."""
    file = tmp_path / "mounted"
    file.write_text(bytes(range(32)).hex() + "\n")
    for mode, warned in ((0o644, True), (0o604, True), (0o600, False)):
        file.chmod(mode)
        done = stopped.manage("create_user", "no address", check=False, MASTER_KEY_FILE=str(file))
        assert done.stderr.splitlines()[-1] == READY
        assert (f"others can read {file}" in done.stderr) is warned


@pytest.mark.postgres
def test_master_key_file_that_others_can_read_stops_production(stopped: Server, tmp_path: Path) -> None:
    services.require("postgres")
    file = tmp_path / "mounted"
    file.write_text(bytes(range(32)).hex() + "\n")
    file.chmod(0o644)
    with services.private_database() as url:
        production = {
            "ORIGIN": "https://auth.example.com",
            "DATABASE_URL": url,
            "EMAIL_URL": "smtp://localhost",
            "MASTER_KEY_FILE": str(file),
        }
        said = start(stopped, **production)
        assert said.startswith(f"CommandError: MASTER_KEY_FILE: others can read {file}")
        assert said.count("\n") == 0
        file.chmod(0o600)
        assert start(stopped, **production) == READY


@pytest.mark.parametrize("command", ["false", "/no/such/program", "echo c2hvcnQ=", "'"])
def test_command_that_gives_no_master_key_is_one_line(stopped: Server, command: str) -> None:
    said = start(stopped, MASTER_KEY_COMMAND=command)
    assert said.count("\n") == 0
    assert "MASTER_KEY_COMMAND" in said
    assert "c2hvcnQ" not in said.replace(command, "")


def test_master_key_file_elsewhere_is_never_made(stopped: Server, tmp_path: Path) -> None:
    file = tmp_path / "mounted"
    assert str(file) in start(stopped, MASTER_KEY_FILE=str(file))
    assert not file.exists()
