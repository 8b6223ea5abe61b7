"""A management command that kills itself: python -m tests.dying MODULE.FUNCTION COMMAND…

It is gone by SIGKILL the moment that the function is called: nothing is cleaned up, no transaction is ended.
"""

import importlib
import os
import signal
import subprocess
import sys

from tests.server import ROOT, Server


def die_in(server: Server, function: str, *command: str) -> None:
    """Run a command that dies there; AssertionError when it did not."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.dying", function, *command],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(function: str, *command: str) -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    django.setup()
    module, _, name = function.rpartition(".")
    setattr(importlib.import_module(module), name, die)
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main(*sys.argv[1:])
