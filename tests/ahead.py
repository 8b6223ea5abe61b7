"""A management command on a node whose clock is ahead: python -m tests.ahead SECONDS COMMAND…"""

import os
import subprocess
import sys
import time

from tests.server import ROOT, Server


def run_ahead(server: Server, seconds: int, *command: str, stdin: str = "") -> None:
    """The ids and times of its events are so many seconds ahead."""
    subprocess.run(
        [sys.executable, "-m", "tests.ahead", str(seconds), *command],
        cwd=ROOT,
        env=server.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


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
