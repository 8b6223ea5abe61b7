"""Stands in for Django's command of the same name, which would act without an event."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Refuses."""

    help = "Not here: Secure Auth makes accounts with create_user EMAIL --role admin."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        """Whatever Django's own would take."""
        parser.add_argument("arguments", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where to go instead."""
        raise CommandError("Secure Auth makes accounts with create_user EMAIL --role admin.")
