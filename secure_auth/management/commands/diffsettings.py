"""Stands in for Django's command of the same name, which would show the master key and every password."""

from secure_auth.management.refused import RefusedCommand


class Command(RefusedCommand):
    """See above."""

    help = "Not here: settings hold secrets. `check --deploy` judges them."
