"""What the operators' commands share: a ready service, one clear line instead of a traceback, who acts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth import administration, startup
from secure_auth.administration import Actor, Refused
from secure_auth.errors import Problem
from secure_auth.models import User


class OperatorCommand(BaseCommand):
    """A command that acts on the service. Subclasses implement act()."""

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the installation and act; a refusal is one line and a non-zero status."""
        startup.prepare()
        try:
            self.act(**options)
        except Refused as error:
            raise CommandError(str(error)) from error
        except Problem as error:
            raise CommandError(error.detail or error.code.meaning) from error

    def act(self, **options: Any) -> None:
        """What the command does."""
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
