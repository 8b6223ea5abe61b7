"""manage.py loaddata: Django's own, for other apps' tables alone: of ours it would make admins without an event."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import loaddata

from secure_auth.startup import OWN_APPS


class Command(loaddata.Command):
    """Refuses whole files that hold anything of ours."""

    def save_obj(self, obj: Any) -> bool:
        """Called for each object, in one transaction."""
        if obj.object._meta.app_label in OWN_APPS:
            raise CommandError(
                "Secure Auth takes accounts by import_users, with an event for each; nothing was loaded."
            )
        return bool(super().save_obj(obj))
