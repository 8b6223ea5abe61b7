"""The lead: which worker of an installation does the background work.

On PostgreSQL a lease that its holder renews, so that one that was stopped or cut off loses it after LEASE_SECONDS;
beside the embedded database a flock, which the kernel frees when its holder dies. The lead only saves work: what a
former leader still does when it wakes must be harmless by itself. A lease that ends later than one taken now was
written before the database's clock was set back: it is none, for its holder may be gone and would lead until that time.
"""

import fcntl
import os
import socket
import time
import uuid

import structlog
from django.conf import settings
from django.db import Error, connection

log = structlog.get_logger(__name__)

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
TELL_AGAIN_SECONDS = 60
NAME = "worker"
_TAKE = """
INSERT INTO secure_auth_lease (name, holder, expires_at)
VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
 WHERE secure_auth_lease.holder = EXCLUDED.holder
    OR secure_auth_lease.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => %s)"""


class Lead:
    """The right to do the background work of this installation. One thread renews it, any may ask for it."""

    def __init__(self) -> None:
        self._holder = f"{socket.gethostname()[:24]}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._descriptor: int | None = None
        self._until = 0.0
        self._silent_until = 0.0

    @property
    def is_held(self) -> bool:
        """Whether this process leads now, by its own clock."""
        return time.monotonic() < self._until

    def renew(self) -> bool:
        """Take the lead if it is free, or keep it; whether it is held."""
        began = time.monotonic()
        try:
            held = self._take_lease() if connection.vendor == "postgresql" else self._take_file()
        except Error as error:
            if began >= self._silent_until:
                self._silent_until = began + TELL_AGAIN_SECONDS
                log.warning("worker.lead_unknown", error=type(error).__name__)
            return self.is_held
        self._until = began + LEASE_SECONDS if held else 0.0
        return held

    def _take_lease(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [NAME, self._holder, LEASE_SECONDS, LEASE_SECONDS])
            return bool(cursor.rowcount)

    def _take_file(self) -> bool:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(settings.DATA_DIR / "worker.lock", flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lead up, so that another need not wait for its end."""
        self._until = 0.0
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "DELETE FROM secure_auth_lease WHERE name = %s AND holder = %s", [NAME, self._holder]
                )
        except Error as error:
            log.warning("worker.lead_kept", error=type(error).__name__)
