"""Mail by the HTTP API of a provider: django-anymail, with answers that have an end in time and in length.

requests unpacks whatever is packed, waits anew after each byte, takes cookies, and follows a redirect with the headers
that hold a provider's key. What it sends here goes by a Caller instead, which does none of these.
"""

from io import BytesIO
from typing import Any

import httpx
from anymail.backends import brevo, mailersend, mailgun, mailjet, postmark, resend, sparkpost
from requests import ConnectionError as NotReached
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from secure_auth.outgoing import Caller

ANSWER_SECONDS = 30.0
ANSWER_BYTES = 64 * 1024


class _Wire(BaseAdapter):
    """How a session reaches any server."""

    def __init__(self) -> None:
        super().__init__()
        self._caller = Caller(ANSWER_SECONDS)

    def send(self, request: PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> Response:
        """Ask once.

        Raises:
            NotReached: there is no answer, not in time, or one that is too long or compressed.
        """
        named = {"content": request.body, "headers": dict(request.headers), "timeout": timeout}
        try:
            with self._caller.ask(str(request.method), str(request.url), **named) as told:
                body = _read(told)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotReached(type(error).__name__) from error
        answer = Response()
        answer.status_code, answer.raw, answer.encoding = told.status_code, BytesIO(body), "utf-8"
        answer.url, answer.request = str(request.url), request
        answer.headers.update(told.headers)
        answer.headers.pop("Location", None)  # it would be followed
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._caller.close()


def _read(answer: httpx.Response) -> bytes:
    if "Content-Encoding" in answer.headers:  # a few bytes may unfold to all memory
        raise NotReached("the answer is compressed")
    read = b""
    for part in answer.iter_raw():
        read += part
        if len(read) > ANSWER_BYTES:
            raise NotReached("the answer is too long")
    return read


class _Bounded:
    """What each provider's backend gets."""

    def create_session(self) -> Session:
        """Called by django-anymail for each mail."""
        session: Session = super().create_session()  # type: ignore[misc]
        session.trust_env = False  # a .netrc would go before the provider's key; proxies are the Caller's
        session.headers["Accept-Encoding"] = "identity"
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Wire())
        return session


class Brevo(_Bounded, brevo.EmailBackend):
    pass


class Mailersend(_Bounded, mailersend.EmailBackend):
    pass


class Mailgun(_Bounded, mailgun.EmailBackend):
    pass


class Mailjet(_Bounded, mailjet.EmailBackend):
    pass


class Postmark(_Bounded, postmark.EmailBackend):
    pass


class Resend(_Bounded, resend.EmailBackend):
    pass


class Sparkpost(_Bounded, sparkpost.EmailBackend):
    pass
