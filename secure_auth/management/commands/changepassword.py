"""Stands in for Django's command of the same name, which would act without an event."""

from secure_auth.management.refused import RefusedCommand


class Command(RefusedCommand):
    """See above."""

    help = "Not here: Secure Auth changes passwords at password/change/ and by mailed reset, each with its event."
