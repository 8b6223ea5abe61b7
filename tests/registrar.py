"""A process that makes accounts for the tests of one service: `create_user`, without Python's start for each.

It reads one JSON line a command (its arguments and its standard input) and answers one, with the error or none. The
command itself is run as `manage.py` runs it; what commands say and how they fail is tested by processes of their own.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Registrar:
    """Started with the service's environment at its first order, and ended with the service."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str, stdin: str) -> None:
        """Run a command; AssertionError with what it said when it fails."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.registrar"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([arguments, stdin]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer.strip() == "null", f"{arguments}: {answer}"

    def stop(self) -> None:
        if self.process:
            self.process.communicate()
            self.process = None


def serve() -> None:
    """Until standard input ends."""
    import django

    django.setup()
    from django.core.management import ManagementUtility
    from django.db import connections

    orders, answers = sys.stdin, os.fdopen(os.dup(1), "w")
    for line in orders:
        arguments, given = json.loads(line)
        sys.stdin, said = io.StringIO(given), io.StringIO()
        fault = None
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                ManagementUtility(["manage.py", *arguments]).execute()
            except (SystemExit, Exception) as error:
                fault = f"{error!r} {said.getvalue()[-2000:]}"
        connections.close_all()
        print(json.dumps(fault), file=answers, flush=True)


if __name__ == "__main__":
    serve()
