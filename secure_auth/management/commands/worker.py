"""manage.py worker."""

from typing import Any

from secure_auth import worker
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """The background work."""

    answers = False
    begins = True
    help = "Send mail, close tallies, prune what is over. May run on every node; one leads at a time."

    def act(self, **options: Any) -> None:
        """Work until SIGTERM or SIGINT."""
        worker.work()
