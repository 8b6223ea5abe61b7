"""manage.py revoke_client ID."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import clients
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """End a client."""

    help = "End a client's right to introspect tokens, from its next request on."

    def add_arguments(self, parser: CommandParser) -> None:
        """ID."""
        parser.add_argument("client_id", help="as create_client and list_clients tell it")

    def act(self, **options: Any) -> None:
        """Revoke it."""
        revoked = clients.revoke_client(client_id=options["client_id"], actor=Actor(SYSTEM))
        self.stdout.write(f"{revoked.name} ({revoked.id}) is revoked")
