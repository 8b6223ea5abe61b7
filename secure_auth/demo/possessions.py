"""What a person holds: an authenticator app (RFC 6238) and a mailbox."""

import email
import email.policy
import re
import time
from collections.abc import Callable
from pathlib import Path

import pyotp

STEP_SECONDS = 30
EDGE_SECONDS = 3
MAIL_SECONDS = 15


class Authenticator:
    """Codes, each of a later time step than the last: the service takes none twice.

    The service accepts the step before and after the present one; that makes two codes without waiting.
    """

    def __init__(self, secret: str, notice: Callable[[str], None]) -> None:
        self.totp = pyotp.TOTP(secret)
        self.notice = notice
        self.last_step = 0

    def code(self) -> str:
        """The next code, after a short wait where the service could not take it yet."""
        now = time.time()
        step = max(self.last_step + 1, int(now // STEP_SECONDS))
        wait = (step - 1) * STEP_SECONDS + EDGE_SECONDS - now
        if wait > EDGE_SECONDS:
            self.notice(f"Each code counts once: waiting {wait:.0f} seconds for the next one.")
            time.sleep(wait)
        self.last_step = step
        return str(self.totp.generate_otp(step))


def wait_for_mail(outbox: Path, address: str) -> tuple[str, str] | None:
    """Subject and link token of the first mail to an address; None when none comes."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for path in sorted(outbox.glob("*.eml")):
            found = _read_mail(path, address)
            if found:
                return found
        time.sleep(0.1)
    return None


def _read_mail(path: Path, address: str) -> tuple[str, str] | None:
    try:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    except OSError:
        return None
    if address not in str(message["To"]):
        return None
    body = message.get_body(("plain",))
    link = re.search(r"#token=([A-Za-z0-9._~-]+)", body.get_content()) if body else None
    return (str(message["Subject"]), link[1]) if link else None
