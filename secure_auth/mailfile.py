"""Mail without a mail server: each message becomes one file under DATA_DIR/outbox, and one log line says so."""

import os
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from secure_auth import eai

log = structlog.get_logger(__name__)


class EmailBackend(BaseEmailBackend):
    """Writes whole files only: a reader never sees half a message."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each message to a file of its own, readable by the owner alone."""
        directory = settings.DATA_DIR / "outbox"
        for message in email_messages:
            whole = eai.write(message)
            stem = str(whole["Message-ID"]).strip("<>").partition("@")[0]
            name = f"{timezone.now():%Y%m%dT%H%M%S.%f}-{stem}.eml"
            content = whole.as_bytes()
            draft = (
                settings.DATA_DIR / f".{stem}.draft"
            )  # not in the outbox: nobody takes half a message for one
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
                file.write(content)
            draft.rename(directory / name)
            log.info("mail.written", file=f"outbox/{name}")
        return len(email_messages)
