"""Commands of Django that would go past the log or show secrets do nothing here, and say where to go."""

import json
from pathlib import Path

import pytest

from tests.client import new_email
from tests.server import Server


@pytest.mark.parametrize(
    "command",
    ["createsuperuser", "createsuperuser --noinput", "changepassword ada@example.org", "diffsettings --all"],
)
def test_command_is_refused_and_leads_on(server: Server, command: str) -> None:
    done = server.manage(*command.split(), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "CommandError: Not here: " in done.stderr


def test_no_account_is_loaded_past_the_log(server: Server, tmp_path: Path) -> None:
    email = new_email()
    fields = {"email": email, "email_key": email, "password": "!", "role": "admin"}
    rows = [
        {"model": "auth.group", "pk": 77, "fields": {"name": email}},
        {"model": "secure_auth.user", "pk": "01a22261-cbbf-735a-9594-8382cc5f64a3", "fields": fields},
    ]
    path = tmp_path / "rows.json"
    for loaded, said in ((rows, "import_users"), (rows[:1], "")):
        path.write_text(json.dumps(loaded))
        done = server.manage("loaddata", str(path), check=False)
        assert said in done.stderr
        assert done.returncode == (1 if said else 0)
        assert bool(server.rows("SELECT 1 FROM auth_group WHERE name = %s", [email])) is not bool(said)
    assert not server.rows("SELECT 1 FROM secure_auth_user WHERE email = %s", [email])


@pytest.mark.parametrize(
    "labels", ["", "secure_auth.User", "auth mfa", "--exclude audit --exclude secure_auth"]
)
def test_no_hash_is_dumped_past_the_log(server: Server, labels: str) -> None:
    done = server.manage("dumpdata", *labels.split(), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "export_users" in done.stderr


@pytest.mark.parametrize(
    "labels",
    [
        "auth.group",
        "contenttypes",
        " ".join(f"-e {app}" for app in ("audit", "mfa", "secure_auth", "throttling")),
    ],
)
def test_other_apps_are_dumped(server: Server, labels: str) -> None:
    assert isinstance(json.loads(server.manage("dumpdata", *labels.split()).stdout), list)


def test_flush_changes_nothing(server: Server) -> None:
    counts = "SELECT (SELECT count(*) FROM secure_auth_key), (SELECT count(*) FROM audit_event) > 0"
    before = server.rows(counts)
    assert server.manage("flush", "--noinput", check=False).returncode == 1
    assert server.rows(counts) == before
