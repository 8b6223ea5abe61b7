"""The audit application. It imports nothing of the project's other packages."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Names the tables `audit_*`; ids are text, so only tallies and retention rows use the automatic key."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"
