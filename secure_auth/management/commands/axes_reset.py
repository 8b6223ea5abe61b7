"""manage.py axes_reset, in place of django-axes' command: the same on this service's state, with its event."""

from typing import Any

from secure_auth.management.operator import ResetCommand


class Command(ResetCommand):
    """Lift the password's locks of all accounts."""

    help = (
        "Lift the password's locks of all accounts, known or not. Limits of sources and the second step stay."
    )

    def targets(self, options: dict[str, Any]) -> list[dict[str, str]]:
        """All accounts."""
        return [{}]
