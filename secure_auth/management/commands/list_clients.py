"""manage.py list_clients."""

from typing import Any

from secure_auth import clients
from secure_auth.management.operator import ReadingCommand


class Command(ReadingCommand):
    """The clients of introspection."""

    help = "List all clients, oldest first: id, name, when it was made, and when it was revoked if it was."

    def read(self, **options: Any) -> None:
        """One line a client, divided by tabs."""
        for client in clients.list_clients():
            ended = f"revoked {client.revoked_at:%Y-%m-%dT%H:%M:%SZ}" if client.revoked_at else "live"
            self.stdout.write(f"{client.id}\t{client.name}\t{client.created_at:%Y-%m-%dT%H:%M:%SZ}\t{ended}")
