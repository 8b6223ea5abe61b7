"""Django's WSGI handler, in which no Content-Type fails.

Django reads its parameters while it makes the request. What fails there (a charset that is no text, too many fields of
a query beside any) the server alone would answer: past limits, metrics and headers, with a traceback for each.
"""

import re
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseBase

BOUNDARY = re.compile(
    r""";\s*boundary=("[\w'()+,./:=? -]{1,70}"|[\w'()+,./:=?-]{1,70})\s*(?:;|$)""", re.A | re.I
)


def without_parameters(content_type: str) -> str:
    """The media type, with the boundary of a body in parts.

    Queries, forms and JSON are UTF-8, whatever charset is named.
    """
    media_type, _, rest = content_type.partition(";")
    boundary = BOUNDARY.search(content_type) if rest else None
    return f"{media_type.strip()}; boundary={boundary[1]}" if boundary else media_type.strip()


class Handler(WSGIHandler):
    """See above."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> HttpResponseBase:
        """Serve a request."""
        if ";" in environ.get("CONTENT_TYPE", ""):
            environ["CONTENT_TYPE"] = without_parameters(environ["CONTENT_TYPE"])
        return super().__call__(environ, start_response)


def make_application() -> Handler:
    """The application for a WSGI server, as Django's get_wsgi_application() makes it."""
    django.setup(set_prefix=False)
    return Handler()
