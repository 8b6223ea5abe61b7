"""The audit application. It imports nothing of the project's other packages."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from audit.words import teach_sqlite


class AuditConfig(AppConfig):
    """Names the tables `audit_*`; ids are text, so only tallies and retention rows use the automatic key."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Called by Django before any connection is opened."""
        connection_created.connect(teach_sqlite)
