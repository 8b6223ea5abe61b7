"""Mail by SMTP, to a server whose replies have an end: RFC 5321 section 4.2 bounds a line, but not how many there are.

smtplib reads the lines of a reply as long as they come, and its time-out counts from the last byte: one reply could
fill memory, or keep all other mail waiting for good.
"""

import smtplib
import threading
from email.policy import SMTPUTF8
from io import BufferedIOBase
from socket import SHUT_RDWR, socket
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.core.mail.message import sanitize_address

from secure_auth import eai

REPLY_SECONDS = 30
REPLY_BYTES = 64 * 1024


class _Reply:
    """The lines of one reply; as if the server had hung up where there are too many."""

    def __init__(self, file: BufferedIOBase) -> None:
        self.file, self._left = file, REPLY_BYTES

    def readline(self, size: int) -> bytes:
        line = self.file.readline(size) if self._left > 0 else b""
        self._left -= len(line)
        return line

    def close(self) -> None:
        self.file.close()


class _Bounded:
    """What smtplib's two classes get."""

    sock: Any
    file: Any

    def getreply(self) -> tuple[int, bytes]:
        """One reply, in REPLY_SECONDS."""
        file = self.file or self.sock.makefile("rb")
        self.file = _Reply(getattr(file, "file", file))
        timer = threading.Timer(REPLY_SECONDS, _hang_up, [self.sock])
        timer.daemon = True
        timer.start()
        try:
            return super().getreply()  # type: ignore[misc,no-any-return]
        finally:
            timer.cancel()


def _hang_up(wire: socket) -> None:
    try:
        wire.shutdown(SHUT_RDWR)
    except OSError:
        return  # it did so itself


class _Plain(_Bounded, smtplib.SMTP):
    pass


class _Tls(_Bounded, smtplib.SMTP_SSL):
    pass


class AsciiOnly(smtplib.SMTPException):
    """The server takes no address beyond ASCII before its `@`: it has no SMTPUTF8 (RFC 6531)."""


class EmailBackend(smtp.EmailBackend):
    """Django's, over such a connection, and to such addresses."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """Called by Django when it connects."""
        return _Tls if self.use_ssl else _Plain

    def _send(self, email_message: EmailMessage) -> bool:
        if not eai.wants_utf8(email_message):
            return bool(super()._send(email_message))  # type: ignore[misc]
        connection: smtplib.SMTP = self.connection  # type: ignore[assignment]  # the caller has opened it
        connection.ehlo_or_helo_if_needed()
        if not connection.has_extn("smtputf8"):
            raise AsciiOnly
        connection.sendmail(
            sanitize_address(email_message.from_email, "utf-8"),
            email_message.recipients(),
            eai.write(email_message).as_bytes(policy=SMTPUTF8),
            mail_options=["SMTPUTF8", "BODY=8BITMIME"],
        )
        return True
