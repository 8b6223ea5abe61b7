"""EMAIL_URL: each way to send, and what is refused by name without repeating a secret."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from secure_auth import mail_settings
from secure_auth.mail_settings import PROVIDERS, Mail

NAME = "SOME_SETTING"
Read = Callable[..., Mail]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    def read_url(url: str, *, plain: bool = False) -> Mail:
        monkeypatch.setenv(NAME, url)
        return mail_settings.read_mail(NAME, plain=plain)

    return read_url


def refusal(action: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as error:
        action(*arguments, **options)
    assert str(error.value).startswith(NAME)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_unset_is_files(read: Read) -> None:
    mail = read("")
    assert (mail.is_sent, mail.host, mail.provider) == (False, "", {})


def test_smtp_urls(read: Read) -> None:
    mail = read("smtp+tls://me%40example.org:p%40ss@mail.example.org")
    assert (mail.host, mail.port, mail.username, mail.password) == (
        "mail.example.org",
        587,
        "me@example.org",
        "p@ss",
    )
    assert (mail.starttls, mail.tls, mail.is_sent, mail.shows_password) == (True, False, True, False)
    assert "p@ss" not in repr(mail)
    mail = read("smtps://mail.example.org:2465")
    assert (mail.port, mail.tls) == (2465, True)
    assert read("smtp://me:secret@mail.example.org").shows_password


@pytest.mark.parametrize("scheme", PROVIDERS)
def test_secrets_of_a_provider_stand_in_no_repr(read: Read, scheme: str) -> None:
    keys = [f"hunter2-{number}" for number in range(len(PROVIDERS[scheme]))]
    host = "mg.example.com" if scheme == "mailgun" else ""
    mail = read(f"{scheme}://{':'.join(keys)}@{host}?api_url=https://api.example.com/v9/")
    assert mail.backend == f"secure_auth.providers.{scheme.capitalize()}"
    assert "hunter2" not in repr(mail)
    assert len(mail.provider) == len(keys) + 2 + bool(host)
    assert mail.provider["REQUESTS_TIMEOUT"] == mail_settings.TIMEOUT_SECONDS


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://hunter2@mail.example.org",
        "smtp://",
        "smtp://hunter2:b",
        "smtps://mail.example.org/hunter2",
        "smtp://mail.example.org:notaport",
        "ses://hunter2@",
        "postmark://hunter2",
        "postmark://@",
        "postmark://hunter2:more@",
        "postmark://hunter2@api.example.com",
        "postmark://hunter2@?api_url=http://api.example.com",
        "postmark://hunter2@?api_url=",
        "postmark://hunter2@?stream=outbound",
        "postmark://hunter2@/path",
        "mailgun://hunter2@",
        "mailgun://hunter2@mg.example.com:8080",
        "mailjet://hunter2@",
    ],
)
def test_what_is_no_mail_url_is_refused_in_one_line(read: Read, url: str) -> None:
    assert "hunter2" not in refusal(read, url)


def test_a_providers_api_is_plain_http_only_where_that_is_allowed(read: Read) -> None:
    mail = read("postmark://key@?api_url=http://127.0.0.1:9/", plain=True)
    assert mail.provider["POSTMARK_API_URL"] == "http://127.0.0.1:9/"


def test_senders_and_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NAME, "Auth <auth@example.org>")
    assert mail_settings.sender(NAME, "") == "Auth <auth@example.org>"
    monkeypatch.setenv(NAME, "nobody")
    refusal(mail_settings.sender, NAME, "")
    monkeypatch.setenv(NAME, str(tmp_path))
    assert mail_settings.directory(NAME) == tmp_path.resolve()
    monkeypatch.setenv(NAME, str(tmp_path / "missing"))
    refusal(mail_settings.directory, NAME)
    monkeypatch.delenv(NAME)
    assert mail_settings.directory(NAME) is None
    assert mail_settings.sender(NAME, "") == ""
