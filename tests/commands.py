"""Management commands of one service, each forked from a process that has loaded the service with its environment.

What the fork does is what `manage.py` does after its imports, on files of its own for standard input, output and error.
Starts that must not be (`tests/flows/test_starting.py`) are whole processes.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from tests.forks import Forks

COMMAND_SECONDS = 120


class Commands:
    """Started at its first command, and ended with the service."""

    def __init__(self, environment: Mapping[str, str], libraries: Forks) -> None:
        self._libraries = libraries
        self._environment = {**environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
        self._service = Forks(self._environment, libraries)
        self._staying = Forks(self._environment, self._service, stays=True)

    def run(
        self, *arguments: str, stdin: str, environment: Mapping[str, str] | None = None, stays: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for it, whatever its status is; with more variables, from the start.

        Those of a process that `stays` are run by it, one after the other.
        """
        if environment:
            return run_forked(
                self._libraries, arguments, stdin=stdin, environment={**self._environment, **environment}
            )
        return run_forked(self._staying if stays else self._service, arguments, stdin=stdin)

    def stop(self) -> None:
        self._staying.stop()
        self._service.stop()


def run_forked(
    forks: Forks, arguments: Sequence[str], *, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` would, of a fork, which is done within COMMAND_SECONDS."""
    with contextlib.ExitStack() as stack:
        given, told, complained = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin.encode())
        given.seek(0)
        files = [file.fileno() for file in (given, told, complained)]
        status = forks.start(arguments, files, environment).wait(COMMAND_SECONDS)
        read = [_content(file) for file in (told, complained)]
    return subprocess.CompletedProcess(["manage.py", *arguments], status, *read)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
