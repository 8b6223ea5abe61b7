"""What API and pages share about browsers: cookies that belong to this host alone, and which site made a request."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request

from secure_auth.env import is_loopback

DEVICE: Final = "__Host-device"
FORM_SECONDS: Final = 86400  # how long a page's form can be sent after the last page of its browser
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


def read_cookie(request: Request | HttpRequest, name: str) -> str:
    """The value of one of our cookies; empty when there is none, or more than one.

    Read by its exact name: Django also strips blanks that are none to a browser, so that a cookie of another name,
    which a sibling of this host may set, would be taken for one of ours.
    """
    pairs = [part.strip(" \t").partition("=") for part in request.META.get("HTTP_COOKIE", "").split(";")]
    found = [value for own, _, value in pairs if own == name]
    return found[0] if len(found) == 1 else ""


def set_cookie(
    response: HttpResponseBase,
    name: str,
    value: str,
    seconds: int,
    *,
    path: str = "/",
    readable: bool = False,
    samesite: str = "Strict",
) -> None:
    """Give a browser a cookie that goes over TLS only (or to a loopback name) and that no script reads."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=path,
        secure=True,
        httponly=not readable,
        samesite=samesite,  # type: ignore[arg-type]
    )


def is_own_origin(request: Request | HttpRequest) -> bool:
    """Whether a browser says that a page of this service sent this; who says nothing is no browser of today."""
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    if origin is None or origin == settings.BROWSER_ORIGIN:
        return True
    here = f"{request.scheme}://{request.get_host()}"
    return not settings.PRODUCTION and is_loopback(origin) and origin == here


def is_led_by_another_site(request: Request | HttpRequest) -> bool:
    """Whether a page of another site, or of a sibling of this host, led a browser here: the query is its own."""
    return request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
