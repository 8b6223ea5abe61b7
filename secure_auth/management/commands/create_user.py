"""manage.py create_user EMAIL."""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """Make an account."""

    begins = True
    help = "Make an account. The password is one line of standard input, or asked for at a terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL, --role, --unverified."""
        parser.add_argument("email", help="the account's address")
        parser.add_argument(
            "--role", choices=("auditor", "admin"), default="", help="what it may do beyond its own affairs"
        )
        parser.add_argument(
            "--unverified",
            action="store_true",
            help="mail a link; the account comes into being when it is confirmed",
        )

    def act(self, **options: Any) -> None:
        """Read the password and make the account."""
        created = administration.create_user(
            email=options["email"],
            password=self.read_password(),
            role=options["role"],
            unverified=options["unverified"],
            actor=Actor(source=SYSTEM),
        )
        self.stdout.write(
            f"{'registered' if options['unverified'] else 'created'} {options['email']} {created}"
        )

    def read_password(self) -> str:
        """One line, its end removed, nothing else."""
        if sys.stdin is None:
            raise CommandError("standard input is closed: the password is one line of it")
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n")
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise CommandError("the passwords differ")
        return password
