"""Stands in for Django's command of the same name, which would act without an event."""

from secure_auth.management.refused import RefusedCommand


class Command(RefusedCommand):
    """See above."""

    help = "Not here: Secure Auth makes accounts with create_user EMAIL --role admin."
