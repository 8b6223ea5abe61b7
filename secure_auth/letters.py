"""What mails say: one text a template, from which the HTML is made.

A template is `mail/NAME.txt`: its first line is the subject, the rest paragraphs divided by empty lines. In the HTML a
paragraph that is the link becomes a button, an indented one keeps its lines; `mail/layout.html` is around them all.
Values are put in as plain text of one line, and escaped in the HTML, so that no name, address or device writes a
paragraph, a header or markup. Files of the same names in MAIL_TEMPLATES_DIR go before those of the service.
"""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Engine, TemplateSyntaxError

from secure_auth import addresses, links
from secure_auth.mail_settings import domain_of
from secure_auth.models import MailToken, OutboxMessage

OWN = Path(__file__).parent / "templates" / "mail"
LAYOUT = "layout.html"
PATHS = {
    MailToken.Purpose.CONFIRM: "/confirm/",
    MailToken.Purpose.RESET: "/reset/",
    MailToken.Purpose.ENROL: "/enrol/",
    MailToken.Purpose.INVITE: "/invited/",
    MailToken.Purpose.OLD_ADDRESS: "/address/",
    MailToken.Purpose.NEW_ADDRESS: "/address/",
    MailToken.Purpose.CANCEL_RESET: "/cancel-reset/",
}
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # controls, directions, line ends: none of them is a name's


@dataclass(frozen=True)
class Block:
    """A paragraph: prose, the link, or lines that stand as they are."""

    kind: str
    text: str


@dataclass(frozen=True)
class Letter:
    """A rendered template."""

    subject: str
    text: str
    html: str


class Unusable(Exception):
    """A token is over: a mail with its link would only mislead."""


def _engine() -> Engine:
    own = [str(settings.MAIL_TEMPLATES_DIR)] if settings.MAIL_TEMPLATES_DIR else []
    return Engine(dirs=[*own, str(OWN)], autoescape=True)


ENGINE = _engine()


def write(row: OutboxMessage, *, now: datetime) -> EmailMultiAlternatives:
    """The mail of a row of the outbox.

    Raises:
        Unusable: the token of its link was used or is too old.
    """
    token = row.token
    if token and (token.used_at is not None or token.expires_at <= now):
        raise Unusable
    context = {**row.context, "to": row.to}
    if token:
        purpose = MailToken.Purpose(token.purpose)
        context |= {"link": f"{settings.ORIGIN}{PATHS[purpose]}#token={links.derive_token(token)}"}
        context |= {"within": _in_words(token.expires_at - token.created_at)}
    letter = compose(row.template, context)
    domain = domain_of(settings.ORIGIN)
    message = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        to=[addresses.deliverable(row.to)],
        reply_to=[settings.EMAIL_REPLY_TO] if settings.EMAIL_REPLY_TO else None,
        headers={"Message-ID": f"<{row.id}@{domain}>", "Auto-Submitted": "auto-generated"},  # RFC 3834
    )
    message.attach_alternative(letter.html, "text/html")
    return message


def _in_words(ttl: timedelta) -> str:
    minutes = round(ttl.total_seconds() / 60)
    return f"{round(minutes / 60)} hours" if minutes >= 120 else f"{minutes} minutes"


def compose(template: str, context: dict[str, str]) -> Letter:
    """Subject, text and HTML of a template."""
    values = {name: plain(value) for name, value in context.items()}
    values |= {"product": settings.PRODUCT_NAME, "origin": settings.ORIGIN}
    rendered = ENGINE.get_template(f"{template}.txt").render(Context(values, autoescape=False))
    subject, _, body = rendered.partition("\n")
    subject, body = plain(subject), body.strip() + "\n"
    blocks = [_block(one, values.get("link", "")) for one in body.split("\n\n") if one.strip()]
    layout = ENGINE.get_template(LAYOUT)
    html = layout.render(Context({**values, "subject": subject, "blocks": blocks}))
    return Letter(subject, body, html)


def plain(value: str) -> str:
    """A value as text of one line, without characters that nobody sees."""
    shown = "".join(" " if unicodedata.category(one) in UNSEEN else one for one in str(value))
    return " ".join(shown.split())


def _block(paragraph: str, link: str) -> Block:
    lines = paragraph.strip("\n").splitlines()
    if link and paragraph.strip() == link:
        return Block("link", link)
    if all(line.startswith("    ") for line in lines):
        return Block("lines", "\n".join(line[4:] for line in lines))
    return Block("prose", paragraph.strip())


def moment(when: datetime) -> str:
    """A moment as mails tell it: UTC, to the minute."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"


def known_templates() -> list[str]:
    """The names of all mails, without ending."""
    return sorted(path.stem for path in OWN.glob("*.txt"))


def check_templates() -> None:
    """Refuse templates of MAIL_TEMPLATES_DIR that would fail, or lose their link, when a mail is due.

    Raises:
        ImproperlyConfigured: one line that names the file.
    """
    own = settings.MAIL_TEMPLATES_DIR
    if own is None:
        return
    names = {f"{name}.txt" for name in known_templates()} | {LAYOUT}
    for path in sorted(own.iterdir()):
        if path.name not in names:
            raise ImproperlyConfigured(f"MAIL_TEMPLATES_DIR: there is no mail of the name {path.name}")
    for name in known_templates():
        why = _fault(name)
        if why:
            raise ImproperlyConfigured(f"MAIL_TEMPLATES_DIR: {name}.txt {why}")


def _fault(name: str) -> str:
    """What is wrong with a template; empty when nothing is."""
    link = f"{settings.ORIGIN}/#token=sample"
    try:
        wants = "{{ link }}" in (OWN / f"{name}.txt").read_text()
        letter = compose(name, {"link": link} if wants else {})
    except (TemplateSyntaxError, UnicodeDecodeError, OSError) as error:
        return f"or the layout is no template: {plain(str(error))[:200]}"
    if not letter.subject or not letter.text.strip():
        return "needs a subject in its first line and a text after it"
    if wants and (letter.text.split("\n").count(link) != 1 or letter.html.count(f'href="{link}"') != 1):
        return "needs {{ link }} once, in a line of its own between empty lines, and the layout a link to it"
    return ""
