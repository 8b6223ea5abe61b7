"""Whatever is one change away from a genuine token: bytes, segments, its header or claims under the old signature."""

import base64
import json
import string
from typing import Any

from hypothesis import strategies as st

PRINTABLE = string.ascii_letters + string.digits + string.punctuation
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES: tuple[str, ...] = (
    "alg",
    "kid",
    "typ",
    "jwk",
    "jku",
    "x5u",
    "crit",
    "b64",
    "iss",
    "aud",
    "sub",
    "sid",
    "jti",
    "gen",
    "iat",
)
NAMES += ("exp", "nbf", "token_type", "client_id", "auth_time", "amr", "acr", "roles", "")
TEMPTING: tuple[Any, ...] = (
    "none",
    "HS256",
    "RS256",
    "ES256",
    "at+jwt",
    "access",
    "refresh",
    "partial",
    "admin",
    0,
    2**40,
    [],
    {},
    [None],
)


def decoded(segment: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))))


def encoded(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@st.composite
def bytes_changed(draw: st.DrawFn, token: str) -> str:
    """Something replaced, put in, left out or said twice."""
    start = draw(st.integers(0, len(token)))
    end = draw(st.integers(start, min(len(token), start + draw(st.sampled_from((0, 1, 1, 2, 40))))))
    said_twice = token[start:end] * 2
    new = draw(st.just("") | st.just(said_twice) | st.text(PRINTABLE, max_size=3))
    return token[:start] + new + token[end:]


@st.composite
def segments_changed(draw: st.DrawFn, token: str) -> str:
    """In another order, another number, or with others of their kind."""
    parts = [*token.split("."), "", "e30", encoded({"alg": "none"})]
    return ".".join(draw(st.lists(st.sampled_from(parts), min_size=1, max_size=5)))


@st.composite
def content_changed(draw: st.DrawFn, token: str) -> str:
    """One name of the header or the claims: another value, no more there, or new; perhaps unsigned too."""
    head, claims, signature = token.split(".")
    place = draw(st.sampled_from((0, 1)))
    content = decoded((head, claims)[place])
    name = draw(st.sampled_from((*content, *NAMES)) | st.text(max_size=8))
    if draw(st.booleans()) and name in content:
        del content[name]
    else:
        content[name] = draw(st.sampled_from(TEMPTING) | VALUES)
    parts = [head, claims, draw(st.sampled_from((signature, signature, "")))]
    parts[place] = encoded(content)
    return ".".join(parts)


def mutations(token: str) -> st.SearchStrategy[str]:
    """Never the token itself, nor with blanks around it, which are no part of a header field's value; never nothing."""
    changed = bytes_changed(token) | segments_changed(token) | content_changed(token)
    return changed.filter(lambda mutant: mutant.strip() not in ("", token))
