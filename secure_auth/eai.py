"""Mail to addresses with letters beyond ASCII before the `@` (RFC 6531, RFC 6532).

Django writes such a local part as an encoded word, which names another mailbox of the same host: whoever has that one
would get the links of the account.
"""

import email
import email.policy
from email.message import Message

from django.core.mail import EmailMessage

UTF8 = email.policy.default.clone(utf8=True)


def wants_utf8(message: EmailMessage) -> bool:
    """Whether a recipient cannot be written in ASCII. A domain alone can: it has a form for that (RFC 5890)."""
    return not all(address.rpartition("@")[0].isascii() for address in message.recipients())


def write(message: EmailMessage) -> Message:
    """The whole message, with its recipients as they are where one cannot be written in ASCII."""
    whole: Message = message.message()
    if wants_utf8(message):
        whole = email.message_from_bytes(whole.as_bytes(), policy=UTF8)
        whole.replace_header("To", ", ".join(message.to))
    return whole
