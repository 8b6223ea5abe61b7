"""An export that is stopped half-way leaves nothing of the people in it, as where a terminal is closed over it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import new_email
from tests.server import Server, running_server

STOPPED = """
import os, signal
from django.core.management import call_command
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # in the background a shell has both ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
{patch} = lambda *given: os.kill(os.getpid(), {number})
call_command({command!r}, out=Path({out!r}))
"""
PATCHES = {
    "export_log": "from audit import offline; offline._manifest",
    "export_users": "from secure_auth.management.commands import export_users; export_users.export_users",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("sqlite", tmp_path_factory.mktemp("stopped")) as server:
        server.create_user(new_email(), "nine green lamps in the hall")
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("command", PATCHES)
def test_stopped_export_leaves_nothing(
    service: Server, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    script = STOPPED.format(
        patch=PATCHES[command], number=int(number), command=command, out=str(tmp_path / "out")
    )
    done = service.manage("shell", "--no-imports", "-c", script, check=False)
    assert done.returncode == 128 + number, done.stderr
    assert list(tmp_path.iterdir()) == []
