"""A person's authenticator app (RFC 6238), and the mailbox."""

import email
import email.policy
import os
import re
import time
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import pyotp

STEP_SECONDS = 30
MAIL_SECONDS = 60


@dataclass
class Authenticator:
    """Codes that the service accepts: each from a later time step than the last, within one step of now."""

    secret: str
    last_step: int = 0

    def code(self) -> str:
        """The next code. Three come without waiting; then a new one every 30 seconds."""
        now = time.time()
        step = int(now // STEP_SECONDS)
        is_old_step_safe = STEP_SECONDS - now % STEP_SECONDS > 8
        chosen = max(self.last_step + 1, step - 1 if is_old_step_safe else step)
        opens_at = (chosen - 1) * STEP_SECONDS
        if opens_at > now:
            time.sleep(opens_at - now + 0.05)
        self.last_step = chosen
        return self.code_at(chosen)

    def code_at(self, step: int) -> str:
        return pyotp.TOTP(self.secret).generate_otp(step)

    def wrong_code(self) -> str:
        """Six digits that are right in no step near now."""
        step = int(time.time() // STEP_SECONDS)
        right = {self.code_at(near) for near in range(step - 3, step + 6)}
        return next(code for code in map(str, range(111111, 999999)) if code not in right)


@dataclass
class Mailbox:
    """What the service mailed to one address, read from the files of its outbox."""

    outbox: Path
    address: str

    def messages(self) -> list[EmailMessage]:
        """Oldest first."""
        own = self.address.casefold()
        try:
            with os.scandir(self.outbox) as files:
                paths = [file.path for file in files if file.name.endswith(".eml")]
        except FileNotFoundError:  # nothing was sent yet
            return []
        return [read_message(path) for path in sorted(paths) if own in recipients(path)]

    def wait_for(self, count: int = 1) -> list[EmailMessage]:
        """At least `count` messages; AssertionError when they do not come."""
        deadline = time.monotonic() + MAIL_SECONDS
        while len(found := self.messages()) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came to {self.address}"
            time.sleep(0.05)
        return found

    def wait_for_subject(self, beginning: str) -> list[EmailMessage]:
        """The messages whose subject begins so, once there is one."""
        deadline = time.monotonic() + MAIL_SECONDS
        while not (found := [one for one in self.messages() if str(one["Subject"]).startswith(beginning)]):
            assert time.monotonic() < deadline, f"no such message came to {self.address}"
            time.sleep(0.05)
        return found

    def tokens(self) -> list[str]:
        return [token for message in self.messages() for token in link_tokens(message)]

    def wait_for_token(self, *, after: int = 0) -> str:
        """The newest link's token, once there are more than `after` links."""
        deadline = time.monotonic() + MAIL_SECONDS
        while len(found := self.tokens()) <= after:
            assert time.monotonic() < deadline, f"{len(found)} links came to {self.address}"
            time.sleep(0.05)
        return found[-1]


# A file of the outbox is whole when it has its name, and never changes. Most are somebody else's, and looked at often.
@cache
def recipients(path: str) -> str:
    return str(read_message(path)["To"]).casefold()


@cache
def read_message(path: str) -> EmailMessage:
    return email.message_from_bytes(Path(path).read_bytes(), policy=email.policy.default)


def text_of(message: EmailMessage) -> str:
    """The words of a message: its plain text."""
    body = message.get_body(("plain",))
    assert body is not None, message.get_content_type()
    return str(body.get_content())


def link_tokens(message: EmailMessage) -> list[str]:
    """The distinct tokens of a message's links, which stand after `#token=`."""
    text = "".join(part.get_content() for part in message.walk() if part.get_content_maintype() == "text")
    return list(dict.fromkeys(re.findall(r"#token=([A-Za-z0-9._~-]+)", text)))
