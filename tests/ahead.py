"""A management command on a node whose clock is ahead: python -m tests.ahead SECONDS COMMAND…"""

import os
import sys
import time

from tests.commands import run_forked
from tests.server import LIBRARIES, Server


def run_ahead(server: Server, seconds: int, *command: str, stdin: str = "") -> None:
    """The ids and times of its events are so many seconds ahead."""
    order = ["-m", "tests.ahead", str(seconds), *command]
    done = run_forked(LIBRARIES, order, stdin=stdin, environment=server.environment)
    assert done.returncode == 0, done.stdout + done.stderr


def main(seconds: int, *command: str) -> None:
    import django
    import uuid_utils
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    django.setup()
    uuid7 = uuid_utils.uuid7
    setattr(uuid_utils, "uuid7", lambda: uuid7(nanoseconds=time.time_ns() + seconds * 10**9))  # noqa: B010
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
