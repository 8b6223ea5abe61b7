"""manage.py dumpdata: Django's own, for other apps' tables alone: of ours it would write hashes without an event."""

from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.core.management.commands import dumpdata

from secure_auth.startup import OWN_APPS


class Command(dumpdata.Command):
    """Refuses what would write anything of ours."""

    def handle(self, *app_labels: str, **options: Any) -> None:
        """Dump other apps."""
        asked = app_labels or [config.label for config in apps.get_app_configs()]
        named = {label.partition(".")[0] for label in asked} - set(options["exclude"])
        if named & set(OWN_APPS):
            raise CommandError(
                "Secure Auth writes accounts out by export_users, with an event; a backup is the database's own. "
                "For other apps name these."
            )
        super().handle(*app_labels, **options)
