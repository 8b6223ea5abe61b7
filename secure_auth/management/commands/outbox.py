"""manage.py outbox [--retry ID|all] [--drop ID|all]."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from secure_auth import outbox
from secure_auth.management.operator import OperatorCommand
from secure_auth.models import OutboxMessage


class Command(OperatorCommand):
    """Mails that were not sent."""

    help = (
        "List the mails that wait or were given up, one a line, divided by tabs: id, template, recipient, state, "
        "attempts, last error. --retry sends given up ones anew, --drop deletes them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--retry, --drop and --reason."""
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--retry", metavar="ID|all", help="send a given up mail anew, or all of them")
        action.add_argument("--drop", metavar="ID|all", help="delete a given up mail, or all of them")
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Show, send anew or delete."""
        is_retry = options["retry"] is not None
        chosen = options["retry"] if is_retry else options["drop"]
        if chosen is None:
            for row in outbox.list_unsent():
                self.stdout.write("\t".join(_cells(row)))
            return
        act = outbox.retry if is_retry else outbox.drop
        count = act(chosen, note=options["reason"][:500])
        if not count and chosen != "all":
            raise CommandError(f"not among the given up mails: {chosen}")
        self.stdout.write(f"{count} {'to be sent anew' if is_retry else 'deleted'}")


def _cells(row: OutboxMessage) -> tuple[str, ...]:
    if row.failed_at:
        state = f"failed {row.failed_at:%Y-%m-%dT%H:%M:%SZ}"
    else:
        state = f"waiting until {row.next_attempt_at:%Y-%m-%dT%H:%M:%SZ}"
    return row.id, row.template, row.to, state, f"{row.attempts} attempts", row.error or "-"
