"""What is shown once: the secret of a new authenticator, new recovery codes.

Nothing readable of them is kept here. They wait in a cookie of this one browser, sealed by the encryption ring for one
login or session and for ten minutes, so that a page may be loaded again, or a wrong code typed, without a new secret.
"""

import base64
import json
import time
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from django.http import HttpRequest, HttpResponseBase

from secure_auth import keys
from secure_auth.browsers import read_cookie, set_cookie
from secure_auth.models import Key

ONCE: Final = "__Host-once"
ONCE_SECONDS: Final = 600
TOTP: Final = "totp"
CODES: Final = "codes"


def show_once(response: HttpResponseBase, kind: str, owner: str, content: dict[str, Any]) -> None:
    """Leave something for the next page; `owner` is the login or the session that may see it."""
    key = keys.ring(Key.Purpose.ENCRYPTION).active
    plain = json.dumps({**content, "until": int(time.time()) + ONCE_SECONDS}).encode()
    sealed = keys.seal(plain, key=key.secret, context=_context(kind, owner))
    # Without padding: a cookie with "=" in its value would travel in quotes, which are part of it to a browser.
    value = f"{key.kid}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"
    set_cookie(response, ONCE, value, ONCE_SECONDS, samesite="Lax")


def read_once(request: HttpRequest, kind: str, owner: str) -> dict[str, Any] | None:
    """What was left for this page; None when there is nothing, it is too old, or it is somebody else's."""
    kid, _, sealed = read_cookie(request, ONCE).partition(".")
    key = keys.ring(Key.Purpose.ENCRYPTION).keys.get(kid)
    if key is None:
        return None
    try:
        plain = keys.unseal(
            base64.urlsafe_b64decode(f"{sealed}=="), key=key.secret, context=_context(kind, owner)
        )
    except (ValueError, InvalidTag):
        return None
    content: dict[str, Any] = json.loads(plain)
    return content if content["until"] > time.time() else None


def forget_once(response: HttpResponseBase) -> None:
    """It was seen."""
    response.delete_cookie(ONCE, samesite="Lax")


def _context(kind: str, owner: str) -> str:
    return f"once:{kind}:{owner}"
