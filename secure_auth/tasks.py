"""How an answer is written to its connection, as waitress does it; and the answers to what cannot be read as HTTP.

Those, made before any other code sees the request, are problem documents too.
"""

import json

from waitress.task import ErrorTask, WSGITask

from secure_auth import metrics
from secure_auth.errors import Code, Problem
from secure_auth.ids import is_request_id, new_id
from secure_auth.problem_details import MEDIA_TYPE, document


class Task(WSGITask):
    """The answer of the application: a short one leaves in one piece, its head with its body."""

    wrote_header: bool
    close_on_finish: bool

    def build_response_header(self) -> bytes:
        """The head. An answer that has no body (204, 304) has no length either, for which waitress would hang up.

        Who is served while the server stops is told to connect anew, elsewhere.
        """
        if self.channel.server.is_stopping:
            self.set_close_on_finish()
        stays = not (self.has_body or self.close_on_finish) and self.version == "1.1"
        stays = stays and self.request.headers.get("CONNECTION", "").lower() != "close"
        self.close_on_finish |= stays  # then waitress leaves it as it is
        found: bytes = super().build_response_header()
        self.close_on_finish &= not stays
        return found

    def finish(self) -> None:
        """The end. No last chunk follows the head that answers HEAD: to a proxy in front it begins another answer."""
        if self.request.is_head:
            self.write(b"")
        else:
            super().finish()

    def write(self, data: bytes) -> None:
        """Send a part of the body, and the head before the first."""
        if self.wrote_header or not self.complete or self.content_length != len(data) or not self.has_body:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(head + data)


class ProblemTask(ErrorTask):
    """The answer to a request that cannot be read (RFC 9457)."""

    codes = {413: Code.PAYLOAD_TOO_LARGE, 500: Code.INTERNAL_ERROR}

    def execute(self) -> None:
        code = self.codes.get(self.request.error.code, Code.VALIDATION_FAILED)
        shown = self.request.headers.get("X_REQUEST_ID", "")
        request_id = shown if is_request_id(shown) else new_id()
        problem = Problem(code, detail="The request could not be read as HTTP.")
        body = json.dumps(document(problem, request_id)).encode()
        self.status = f"{code.status} {code.title}"
        self.response_headers += [
            ("Content-Type", MEDIA_TYPE),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-ID", request_id),
        ]
        metrics.count_answer(code.status)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if self.request.is_head else body)
