"""The service's key set. Whoever invents a `kid` while the service is away makes nobody wait whose key is kept."""

import threading
import time
from typing import Any

import jwt

PAUSE_SECONDS = 10  # after a fetch that failed


class Keys(jwt.PyJWKClient):
    """PyJWT fetches under a lock that each look-up takes, and at each unknown `kid` anew as long as it fails."""

    fetches_from = 0.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fetching = threading.Lock()

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """A key that is kept needs no lock."""
        kept = self.jwk_set_cache.get() if self.jwk_set_cache else None
        key = self.match_kid(kept.keys, kid) if kept else None
        if key:
            return key
        if not self.fetching.acquire(blocking=kept is None):
            # Invented ones that waited here would soon hold every thread, and so keep the others waiting after all.
            raise jwt.PyJWKClientConnectionError("the keys are being fetched")
        try:
            return super().get_signing_key(kid)
        finally:
            self.fetching.release()

    def fetch_data(self) -> Any:
        """Ask, unless that failed a moment ago. PyJWT tells of some failures only: a reset connection, or the page of a
        proxy instead of keys, would be a fault of the application.
        """
        if time.monotonic() < self.fetches_from:
            raise jwt.PyJWKClientConnectionError("the keys could not be fetched a moment ago")
        try:
            return super().fetch_data()
        except (jwt.PyJWTError, OSError, ValueError) as error:
            self.fetches_from = time.monotonic() + PAUSE_SECONDS
            raise jwt.PyJWKClientConnectionError("the keys could not be fetched") from error
