"""A command of Django's that this service does without."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class RefusedCommand(BaseCommand):
    """Refuses, whatever the arguments. Subclasses say in `help` where to go instead."""

    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Take whatever Django's own would."""
        super().run_from_argv(argv[:2])

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where to go instead."""
        raise CommandError(self.help)
