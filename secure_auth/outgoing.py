"""Requests to other services: over in time whatever these answer, and nothing that they say is kept.

A time-out of httpx counts from the last byte: a head that drips, and interim answers (1xx) without end, pass each of
them. Cookies would fill memory, and would tell a service which of its requests come from one client.
"""

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Any

import httpx

NOTHING = DefaultCookiePolicy(allowed_domains=())


class Caller:
    """Asks one thing at a time, `seconds` long at most; its connection is kept for the next.

    `options` are those of an httpx.Client, and no redirect is followed.
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        self._seconds, self._options = seconds, options
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connection. The next request makes another."""
        if self._client:
            self._client.close()

    @contextlib.contextmanager
    def ask(self, method: str, url: str, **named: Any) -> Iterator[httpx.Response]:
        """The answer, whose body is still to be read.

        Raises:
            httpx.HTTPError: there is none, or not in time; in the block too. httpx.InvalidURL: this is no URL.
        """
        client = self._open()
        timer = threading.Timer(self._seconds, client.close)
        timer.daemon = True
        timer.start()

        def look(_event: str, _info: object) -> None:
            """A connection that is made only after the deadline is not closed with the others."""
            if client.is_closed:
                raise httpx.ReadTimeout("too late")

        try:
            with client.stream(method, url, extensions={"trace": look}, **named) as answer:
                yield answer
        except UnicodeError as error:  # httpx reads where a redirect leads, and this is no host
            raise httpx.RemoteProtocolError("not a name") from error
        except Exception as error:
            if client.is_closed:  # under the hands of who reads, which each layer tells in its own way
                raise httpx.ReadTimeout("too late") from error
            raise
        finally:
            timer.cancel()

    def _open(self) -> httpx.Client:
        if self._client is None or self._client.is_closed:
            options = {"verify": authorities(), **self._options}
            self._client = httpx.Client(cookies=CookieJar(NOTHING), **options)
        return self._client


@cache
def authorities() -> SSLContext:
    """Those that httpx trusts. To load them takes longer than a request."""
    return httpx.create_ssl_context()
