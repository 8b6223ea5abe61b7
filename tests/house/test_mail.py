"""The mails: every one can be told of, says what it says in text and HTML, and takes nothing from hostile values."""

import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest
from anymail.exceptions import AnymailUnsupportedFeature
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils.module_loading import import_string

from audit.vocabulary import Template
from secure_auth import letters, links, outbox
from secure_auth.mail_settings import PROVIDERS, read_mail
from secure_auth.models import MailToken
from secure_auth.smtp import AsciiOnly
from tests.server import ROOT

HOSTILE = "</p>\r\n\r\nhttp://evil.example/\u202e<img src=x onerror=alert(1)>&\"'{{ link }}{% now 'Y' %}\0"
LINK = "http://localhost:8000/reset/#token=abc"
NAMES = ("name", "device", "address", "time", "old", "new", "when", "within", "product")


class Page(HTMLParser):
    """The tags, links and words of a mail's HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.loads += [value or "" for name, value in attrs if name in ("src", "background", "srcset")]

    def handle_data(self, data: str) -> None:
        self.words += data


def wants_link(name: str) -> bool:
    return "{{ link }}" in (letters.OWN / f"{name}.txt").read_text()


def sample(name: str, value: str) -> letters.Letter:
    values = dict.fromkeys(NAMES, value) | ({"link": LINK} if wants_link(name) else {})
    return letters.compose(name, values)


def test_every_mail_has_a_name_in_the_log() -> None:
    """Else the event of a mail that was given up could not be written."""
    assert set(letters.known_templates()) <= {str(one) for one in Template}


def test_every_mail_that_is_queued_exists() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "secure_auth").rglob("*.py"))
    queued = set(re.findall(r'queue_mail\(\s*"(\w+)"', source))
    assert queued
    assert queued <= set(letters.known_templates())


def test_every_purpose_of_a_link_has_a_page_and_a_lifetime() -> None:
    assert set(letters.PATHS) == set(MailToken.Purpose) == set(links.TTL_SECONDS)


@pytest.mark.parametrize("name", letters.known_templates())
def test_html_says_what_the_text_says(name: str) -> None:
    letter = sample(name, "plain words")
    page = Page(letter.html)
    said = " ".join(page.words.split())
    for paragraph in letter.text.split("\n\n"):
        if paragraph.strip() != LINK:
            assert " ".join(paragraph.split()) in said
    assert page.links == ([LINK] if wants_link(name) else [])
    assert letter.text.count("://") == letter.text.count("#token=") == len(page.links)
    assert not page.loads
    assert not {"img", "script", "link", "form", "iframe"} & set(page.tags)
    assert "url(" not in letter.html
    assert "@import" not in letter.html


@pytest.mark.parametrize("name", letters.known_templates())
def test_hostile_values_stay_words_of_their_line(name: str) -> None:
    harmless, letter = sample(name, "x"), sample(name, HOSTILE)
    assert Page(letter.html).tags == Page(harmless.html).tags
    assert Page(letter.html).links == Page(harmless.html).links
    assert letter.text.count("\n") == harmless.text.count("\n")
    assert "\n" not in letter.subject
    assert not re.search("[\u202e\0\r]", letter.text + letter.html)


def test_a_layout_without_light_keeps_its_contrast() -> None:
    html = sample("reset", "x").html
    assert "prefers-color-scheme: dark" in html
    assert 'name="color-scheme"' in html


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("reset.txt", "Subject\nNo way in.\n", "{{ link }} once"),
        ("reset.txt", "Subject\nInline {{ link }} only.\n", "{{ link }} once"),
        ("reset.txt", "Subject\n{% if %}", "is no template"),
        ("unlocked.txt", "\n", "needs a subject"),
        ("layout.html", "<p>{{ subject }}</p>", "the layout a link"),
        ("greeting.txt", "Subject\nHello.\n", "no mail of the name"),
        ("reset.html", "<p></p>", "no mail of the name"),
    ],
)
def test_templates_that_would_fail_are_refused_at_start(
    tmp_path: Path, file: str, content: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text(content)
    with override_settings(MAIL_TEMPLATES_DIR=tmp_path):
        monkeypatch.setattr(letters, "ENGINE", letters._engine())
        with pytest.raises(ImproperlyConfigured, match=r"^MAIL_TEMPLATES_DIR: .*") as error:
            letters.check_templates()
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_an_own_template_goes_before_the_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unlocked.txt").write_text("Open again\nDear {{ to }},\n\nthe lock is gone.\n")
    with override_settings(MAIL_TEMPLATES_DIR=tmp_path):
        monkeypatch.setattr(letters, "ENGINE", letters._engine())
        letters.check_templates()
        letter = letters.compose("unlocked", {"to": "ada@example.org"})
    assert letter.subject == "Open again"
    assert "Dear ada@example.org," in letter.html


@pytest.mark.parametrize("scheme", PROVIDERS)
def test_each_provider_is_made_of_its_url_alone(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ":".join(["key"] * len(PROVIDERS[scheme]))
    host = "mg.example.com" if scheme == "mailgun" else ""
    monkeypatch.setenv("SOME_URL", f"{scheme}://{keys}@{host}?api_url=https://api.example.com/v9/")
    mail = read_mail("SOME_URL", plain=False)
    with override_settings(ANYMAIL=mail.provider):
        backend = import_string(mail.backend)()
    assert backend.api_url == "https://api.example.com/v9/"
    assert backend.timeout == 10


def test_what_a_server_says_for_good_is_not_asked_again() -> None:
    smtplib = import_module("smtplib")
    assert outbox.is_final(smtplib.SMTPRecipientsRefused({"a@b": (550, b"no such user a@b")}))
    assert not outbox.is_final(smtplib.SMTPRecipientsRefused({"a@b": (451, b"greylisted")}))
    assert outbox.is_final(smtplib.SMTPDataError(554, b"spam"))
    assert not outbox.is_final(smtplib.SMTPAuthenticationError(535, b"who are you"))
    assert not outbox.is_final(smtplib.SMTPSenderRefused(550, b"not yours", "x@y"))
    assert not outbox.is_final(TimeoutError())
    assert outbox.is_final(AsciiOnly())
    assert outbox.is_final(AnymailUnsupportedFeature("addresses beyond ASCII"))
    assert outbox.describe(smtplib.SMTPRecipientsRefused({"a@b": (550, b"no such user a@b")})) == (
        "SMTPRecipientsRefused 550"
    )
