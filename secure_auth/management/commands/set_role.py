"""manage.py set_role EMAIL ROLE."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand
from secure_auth.models import Role


class Command(OperatorCommand):
    """Give an account another role."""

    help = "Give an account another role, or none. It holds from the next request on; its sessions stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL, ROLE and --reason."""
        parser.add_argument("email", help="the account's address")
        parser.add_argument(
            "role", choices=("none", "auditor", "admin"), help="what it may do beyond its own affairs"
        )
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """See help."""
        user = administration.find_user(options["email"])
        role = Role.NONE if options["role"] == "none" else Role(options["role"])
        administration.set_role(user=user, role=role, actor=Actor(SYSTEM, reason=options["reason"][:500]))
        self.stdout.write(f"{user.email} has the role {options['role']}")
