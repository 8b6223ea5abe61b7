"""`manage.py` that cannot fork while DATA_DIR holds a file `no-forks`: python -m tests.faults.forkless COMMAND…

As where a user has all the processes that he may, or the machine no memory for another.
"""

import errno
import os
import sys
from pathlib import Path

fork = os.fork


def fork_if_allowed() -> int:
    if (Path(os.environ["DATA_DIR"]) / "no-forks").exists():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()


def main() -> None:
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    os.fork = fork_if_allowed
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
