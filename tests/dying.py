"""A management command that kills itself: python -m tests.dying MODULE.FUNCTION COMMAND…

It is gone by SIGKILL the moment that the function is called: nothing is cleaned up, no transaction is ended.
"""

import importlib
import os
import signal
import sys

from tests.commands import run_forked
from tests.server import LIBRARIES, Server


def die_in(server: Server, function: str, *command: str) -> None:
    """Run a command that dies there; AssertionError when it did not."""
    order = ["-m", "tests.dying", function, *command]
    done = run_forked(LIBRARIES, order, environment=server.environment)
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
