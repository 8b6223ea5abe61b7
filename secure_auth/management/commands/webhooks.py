"""manage.py webhooks list|retry."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.detections.tables import WebhookMessage
from secure_auth import webhooks
from secure_auth.management.operator import ReadingCommand


class Command(ReadingCommand):
    """Webhook messages that were not taken."""

    help = "List the webhook messages that wait or were given up, and send given up ones anew."

    def add_arguments(self, parser: CommandParser) -> None:
        """list, or retry ID…"""
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|retry")
        actions.add_parser("list", help="what waits or was given up: one line a message, divided by tabs")
        retry = actions.add_parser("retry", help="send given up messages anew")
        retry.add_argument("ids", nargs="+", metavar="ID", help="as `list` shows it")
        retry.add_argument("--reason", default="", help="why, for the audit log")

    def read(self, **options: Any) -> None:
        """Show, or put back into the queue."""
        if options["action"] == "list":
            for row in webhooks.list_unsent():
                self.stdout.write("\t".join(_cells(row)))
            return
        note = options["reason"][:500]
        refused = [id_ for id_ in options["ids"] if not webhooks.retry(id_, note=note)]
        if refused:
            raise CommandError(f"not among the given up messages: {', '.join(refused)}")
        self.stdout.write(f"{len(options['ids'])} to be sent anew")


def _cells(row: WebhookMessage) -> tuple[str, ...]:
    state = f"failed {row.failed_at:%Y-%m-%dT%H:%M:%SZ}" if row.failed_at else "waiting"
    host = webhooks.host_of(row.endpoint) or "a receiver that is no longer set"
    return row.id, row.detection, host, state, f"{row.attempts} attempts", row.error
