"""A check of an access token beside PyJWT's `jwt.decode` with the same key: `python -m tests.bench.checks`.

PyJWT gets a prepared key and checks signature, expiry, audience, issuer and that the claims are there. Ours also finds
the key, and demands canonical base64url, the exact header, the kind of the token and no moment of issue to come.
"""

from collections.abc import Iterator
from datetime import timedelta

import jwt
from django.conf import settings
from django.utils import timezone

import tests.ready  # noqa: F401
from secure_auth import jws, models, tokens
from tests.bench.report import show_table
from tests.bench.rounds import THREADS, Subject, measure
from tests.rings import rings, signing_key

DECISIONS = 2000
DEMANDED = 1.30
OURS, PEER = "AccessToken.read, a token's first time", "PyJWT's jwt.decode"
OURS_AGAIN = "AccessToken.read, the same token again"


def issue() -> str:
    now = timezone.now()
    later = now + timedelta(hours=1)
    user = models.User(id=models.new_id(), role="admin")
    session = models.Session(
        user=user, auth_time=now, amr="pwd otp mfa", rotated_at=now, idle_expires_at=later, expires_at=later
    )
    return tokens.issue_access(session, user, now=now)[0]


def compare() -> Iterator[list[object]]:
    """One line each; the last cells are the times by the peer's."""
    key = signing_key()
    with rings(key):
        token, verifying = issue(), key.verifying

        def decode(_: int) -> object:
            return jwt.decode(
                token,
                verifying,
                algorithms=[key.algorithm],
                audience=settings.TOKEN_AUDIENCE,
                issuer=settings.TOKEN_ISSUER,
                options={"require": [*tokens.TEXTS, *tokens.TIMES, "iss", "aud"]},
            )

        def read_first(_: int) -> object:
            jws.forget()
            return tokens.AccessToken.read(token)

        first = Subject(OURS, read_first, DECISIONS)
        again = Subject(OURS_AGAIN, lambda _: tokens.AccessToken.read(token), DECISIONS)
        costs = measure([first, again, Subject(PEER, decode, DECISIONS)])
    for name, cost in costs.items():
        yield [name, *(f"{figure:.0f}" for figure in cost.figures()), f"{cost.cpu / costs[PEER].cpu:.2f}"]
    verdict = "yes" if costs[OURS].cpu <= DEMANDED * costs[PEER].cpu else "NO"
    yield [f"demand <= {DEMANDED:.2f} by CPU", "", "", "", "", verdict]


def main() -> None:
    head = ["check", "wall us", "CPU us", f"{THREADS} threads: wall us", "CPU us", "CPU by PyJWT"]
    show_table("Checks of an access token", head, compare())


if __name__ == "__main__":
    main()
