"""The mechanisms of the second step: TOTP, recovery codes, and the encryption of their secrets."""

from django.apps import AppConfig


class MfaConfig(AppConfig):
    """Second-factor mechanisms; journeys live in secure_auth."""

    name = "mfa"
    verbose_name = "Second factors"
    default_auto_field = "django.db.models.BigAutoField"
