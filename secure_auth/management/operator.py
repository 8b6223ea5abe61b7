"""What the operators' commands share: a ready service, one clear line instead of a traceback, who acts."""

import argparse
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.db import Error

from audit.events import SYSTEM
from secure_auth import administration, lockouts, startup
from secure_auth.acting import Actor, Refused
from secure_auth.errors import Problem, first_line
from secure_auth.management.line import LineCommand
from secure_auth.models import User
from throttling.reservations import StoreUnavailable


def count_sessions(number: int) -> str:
    """So many sessions, in words."""
    return f"{number} session{'' if number == 1 else 's'}"


def stated(reason: str) -> str:
    """What --reason must say where it is required, for the audit log.

    Raises:
        ArgumentTypeError: nothing.
    """
    if not reason.strip():
        raise argparse.ArgumentTypeError("it must say why")
    return reason


class OperatorCommand(LineCommand):
    """A command that acts on the service. Subclasses implement act().

    With another environment than the service's it would act on an empty installation of its own, and tell of success.
    """

    begins: ClassVar[bool] = False  # an installation, where none is

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the installation and act; a refusal is one line and a non-zero status."""
        startup.prepare(begins=self.begins)
        try:
            self.act(**options)
        except Refused as error:
            raise CommandError(str(error)) from error
        except Problem as error:
            fault = next((fault for faults in error.errors.values() for fault in faults), None)
            raise CommandError(fault.detail if fault else error.detail or error.code.meaning) from error

    def act(self, **options: Any) -> None:
        """What the command does."""
        raise NotImplementedError


class ReadingCommand(LineCommand):
    """A command that only looks: it makes nothing where nothing is. Subclasses implement read()."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Look; what stands in the way is one line and a non-zero status."""
        try:
            if not startup.is_begun():  # SQLite would make the file, by root's command as one of root's
                raise CommandError("no installation is here; give the service's environment")
            self.read(**options)
        except Refused as error:
            raise CommandError(str(error)) from error
        except (Error, StoreUnavailable, ImproperlyConfigured) as error:
            startup.reach_database()  # which tells the cause that a pool hides behind its time-out
            raise CommandError(
                f"no installation answers here ({first_line(error)}); give the service's environment"
            ) from error

    def read(self, **options: Any) -> None:
        """What the command shows."""
        raise NotImplementedError


class ResetCommand(OperatorCommand):
    """A command of django-axes that lifts locks of the password, here with its event."""

    def add_arguments(self, parser: CommandParser) -> None:
        """--reason."""
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Reset what each of targets() names and say how much that was, in axes' words."""
        command, actor = (
            type(self).__module__.rpartition(".")[2],
            Actor(SYSTEM, reason=options["reason"][:500]),
        )
        count = sum(
            lockouts.reset(command=command, actor=actor, **target) for target in self.targets(options)
        )
        self.stdout.write(f"{count} attempts removed." if count else "No attempts found.")

    def targets(self, options: dict[str, Any]) -> list[dict[str, str]]:
        """The `username` and `ip` of each reset."""
        raise NotImplementedError


class AccountCommand(OperatorCommand):
    """A command on one account, named by its address."""

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL and --reason."""
        parser.add_argument("email", help="the account's address")
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Find the account and act on it."""
        user = administration.find_user(options["email"])
        done = self.act_on(user, Actor(source=SYSTEM, reason=options["reason"][:500]))
        self.stdout.write(done)

    def act_on(self, user: User, actor: Actor) -> str:
        """Act, and say what was done."""
        raise NotImplementedError
