"""manage.py axes_list_attempts, in place of django-axes' command, which reads tables that stay empty here."""

from typing import Any

from audit.validation import rfc3339
from secure_auth import lockouts
from secure_auth.management.operator import ReadingCommand


class Command(ReadingCommand):
    """List the wrong passwords that count now."""

    help = (
        "List the wrong passwords that count now: source (empty: from anywhere), account, failures, and until when it "
        "is locked, divided by tabs. An address without an account shows as its opaque id."
    )

    def read(self, **options: Any) -> None:
        """One line a limit."""
        for one in lockouts.list_attempts():
            until = f"\tlocked until {rfc3339(one.locked_until)}" if one.locked_until else ""
            self.stdout.write(f"{one.ip}\t{one.username}\t{one.failures}{until}")
