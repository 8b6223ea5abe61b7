"""manage.py sendtestemail EMAIL: Django's own, whose trouble with the mail server is one line."""

from typing import Any

from anymail.exceptions import AnymailError
from django.core.management.base import CommandError
from django.core.management.commands import sendtestemail

from secure_auth.addresses import parse_address
from secure_auth.management.line import LineCommand


class Command(LineCommand, sendtestemail.Command):
    """One mail at once, past the queue."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Send it: a recipient that is none would be passed over without a word."""
        try:
            for typed in options["email"]:
                parse_address(typed)
        except ValueError as error:
            raise CommandError("this is not an e-mail address") from error
        try:
            super().handle(*args, **options)
        except AnymailError as error:  # its text may repeat what the provider answered
            raise CommandError(f"the mail was not taken: {type(error).__name__}") from error
