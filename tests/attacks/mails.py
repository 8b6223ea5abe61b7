"""Mailed tokens by what their links are for."""

import time

from tests.authenticator import MAIL_SECONDS, link_tokens, text_of
from tests.client import Client, Person


def wait_for_link(client: Client, person: Person, page: str) -> str:
    """The token of the newest mail to a person whose link leads to this page: confirm, reset or enrol."""
    deadline = time.monotonic() + MAIL_SECONDS
    while True:
        for message in reversed(client.mailbox(person).messages()):
            if f"/{page}/#token=" in text_of(message):
                return link_tokens(message)[0]
        assert time.monotonic() < deadline, f"no {page} mail came to {person.email}"
        time.sleep(0.05)
