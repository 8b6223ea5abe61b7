"""Mail by SMTP, to a server whose replies have an end: RFC 5321 section 4.2 bounds a line, but not how many there are.

smtplib reads the lines of a reply as long as they come, and its time-out counts from the last byte: one reply could
fill memory, or keep all other mail waiting for good.
"""

import smtplib
import threading
from io import BufferedIOBase
from socket import SHUT_RDWR, socket
from typing import Any

from django.core.mail.backends import smtp

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


class EmailBackend(smtp.EmailBackend):
    """Django's, over such a connection."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """Called by Django when it connects."""
        return _Tls if self.use_ssl else _Plain
