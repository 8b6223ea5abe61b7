"""manage.py create_client NAME."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import clients
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """A client of introspection."""

    begins = True
    help = (
        "Make a client that may introspect tokens and print its id and secret as one JSON object, this once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """NAME and --rotate."""
        parser.add_argument("name", help="what operators call it")
        parser.add_argument(
            "--rotate",
            action="store_true",
            help="a new secret for the client of this name; the old one is dead",
        )

    def act(self, **options: Any) -> None:
        """Make it or give it a new secret."""
        made = clients.create_client(name=options["name"], rotate=options["rotate"], actor=Actor(SYSTEM))
        self.stdout.write(json.dumps(asdict(made)))
