"""How requests are read from bytes: as waitress does, but for what two servers may read two ways, or nobody in time."""

from typing import Any

from django.conf import settings
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines
from waitress.utilities import BadRequest

BODY_BYTES = 1024 * 1024
CHUNK_HEAD_BYTES = 256
TRAILER_BYTES = 4096
BLANKS = b" " * 64


class Body(OverflowableBuffer):
    """A body as it arrives. One that will be refused for its length leaves nothing but that: else a thousand clients
    that send all but the last byte would have a gigabyte of a worker's memory.
    """

    def __init__(self, overflow: int) -> None:
        super().__init__(overflow)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, data: bytes) -> None:
        """Called by waitress with each part."""
        self._length += len(data)
        if self._length > settings.MAX_BODY_BYTES:
            self.buf, self.strbuf = None, b""
        else:
            super().append(data)


class RequestParser(HTTPRequestParser):
    """Refuses a request whose length is told twice, or by chunks before HTTP/1.1: two servers may read two from it.

    Nor is one taken that names no host, or two.
    One without a body that expects "100-continue" is answered at once. Whatever cannot be read is answered.
    """

    completed: bool
    is_head = False  # whether no body may follow the head of an answer, a refusal's neither

    def parse_header(self, header_plus: bytes) -> None:
        """RFC 9112 section 6.1: both fields together ought to be handled as an error, chunks in HTTP/1.0 must be."""
        self.is_head = header_plus.startswith(b"HEAD ")
        if _has_long_blank(header_plus):
            raise ParsingError("More blanks in a row than anybody writes")
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            # waitress expects none, of the address or of int() for the length, and would close without an answer.
            if not _is_huge(self.headers.get("CONTENT_LENGTH", "")):
                raise ParsingError("The address cannot be read") from error
            self.content_length = BODY_BYTES
        if _codings(header_plus) not in ([], [b"chunked"]):
            raise ParsingError("Transfer-Encoding that is not chunked, once")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")
        if "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding where HTTP/1.1 is not spoken")
        self._settle_host()
        if self.body_rcv is not None:
            self.body_rcv.buf = Body(self.adj.inbuf_overflow)
        if _asks_to_close(self.headers.get("CONNECTION", "")):
            self.headers["CONNECTION"] = "close"  # waitress knows it only where it stands alone
        if not self.chunked and not self.content_length:
            # Nothing will come: to ask for it would be to wait for ever (RFC 9110 10.1.1).
            self.expect_continue = False

    def _settle_host(self) -> None:
        """RFC 9112 section 3.2: one Host, and of an address that names one that, whatever the field says.

        Who stands in front sorts and keeps by the one, and this service must not judge by the other.
        """
        host = self.headers.get("HOST")
        if "," in (host or "") or (host is None and self.version == "1.1"):
            raise ParsingError("Host that does not stand once")
        if self.proxy_scheme:
            self.headers["HOST"] = self.proxy_netloc

    def received(self, data: bytes) -> int:
        """Refuse a chunk's head or a trailer that grows without end: waitress reads it anew with each byte."""
        taken = int(super().received(data))
        if self.chunked and not self.completed and _is_too_long(self.body_rcv):
            self.error = BadRequest("A chunk's head or the trailer is too long")
            self.completed = True
        return taken


def _has_long_blank(head: bytes) -> bool:
    """waitress reads blanks before a value in time that grows with their square, a second for a head, in the loop."""
    return BLANKS in head.replace(b"\t", b" ").replace(b"\r\n ", b" ")


def _codings(head: bytes) -> list[bytes]:
    """Transfer-Encoding as it came: waitress takes an empty one for none, chunked twice for once; others may not."""
    lines = get_header_lines(head.partition(b"\r\n")[2]) if b"transfer-encoding" in head.lower() else []
    fields = [line.partition(b":") for line in lines]
    return [value.strip(b" \t").lower() for name, _, value in fields if name.lower() == b"transfer-encoding"]


def _asks_to_close(options: str) -> bool:
    """Whether `close` is among the options of the connection: it outweighs others (RFC 9112 section 9.3)."""
    return "close" in (option.strip(" \t").lower() for option in options.split(","))


def _is_huge(length: str) -> bool:
    """Whether a length is a number of more digits than any body that is read has."""
    return length.isascii() and length.isdigit() and len(length) > len(str(BODY_BYTES))


def _is_too_long(receiver: Any) -> bool:
    """What of a chunked body is read already and no part of it; there is no receiver before the first byte."""
    return receiver is not None and (
        len(receiver.control_line) > CHUNK_HEAD_BYTES or len(receiver.trailer) > TRAILER_BYTES
    )
