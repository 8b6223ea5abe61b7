"""EMAIL_URL and its companions, read and typed: where mail goes, and what it looks like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from secure_auth import env

SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
# By scheme, what django-anymail calls the user and the password of the URL. Those without a password take none.
PROVIDERS = {
    "brevo": ("API_KEY",),
    "mailersend": ("API_TOKEN",),
    "mailgun": ("API_KEY",),
    "mailjet": ("API_KEY", "SECRET_KEY"),
    "postmark": ("SERVER_TOKEN",),
    "resend": ("API_KEY",),
    "sparkpost": ("API_KEY",),
}
HOST_NAMES = {"mailgun": "SENDER_DOMAIN"}  # what the host of the URL is, where a provider takes one
TIMEOUT_SECONDS = 10
FILES = "secure_auth.mailfile.EmailBackend"
SMTP = "secure_auth.smtp.EmailBackend"


@dataclass(frozen=True)
class Mail:
    """Where mail goes: `backend` is Django's name of what sends it, `provider` django-anymail's settings."""

    backend: str = FILES
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = False
    tls: bool = False
    provider: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def is_sent(self) -> bool:
        """Whether mail leaves the machine; else it becomes files."""
        return self.backend != FILES

    @property
    def where(self) -> str:
        """The host or provider that takes it, for people; empty for files."""
        return self.host or (self.backend.rpartition(".")[2].lower() if self.is_sent else "")

    @property
    def shows_password(self) -> bool:
        """Whether a password crosses the network in clear."""
        return bool(self.password) and not (self.tls or self.starttls)


def read_mail(name: str, *, plain: bool) -> Mail:
    """SMTP, or the HTTP API of a provider; unset: files. A provider's API is https, or `plain` http too."""
    value = env.text(name)
    if not value:
        return Mail()
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise env.refuse(name, "is not a mail URL") from error
    if parts.scheme in SMTP_PORTS:
        return _smtp(name, parts)
    if parts.scheme in PROVIDERS:
        return _provider(name, parts, ("https", "http") if plain else ("https",))
    schemes = ", ".join(f"{scheme}://" for scheme in [*SMTP_PORTS, *PROVIDERS])
    raise env.refuse(name, f"must begin with one of {schemes}")


def _smtp(name: str, parts: SplitResult) -> Mail:
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise env.refuse(
            name, "must name a host after smtp://, smtp+tls:// or smtps://, and nothing behind it"
        )
    return Mail(
        backend=SMTP,
        host=parts.hostname,
        port=parts.port or SMTP_PORTS[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp+tls",
        tls=parts.scheme == "smtps",
    )


def _provider(name: str, parts: SplitResult, schemes: tuple[str, ...]) -> Mail:
    prefix, names = parts.scheme.upper(), PROVIDERS[parts.scheme]
    given = [unquote(secret) for secret in (parts.username, parts.password) if secret]
    if len(given) != len(names):
        form = ":".join(one.lower() for one in names)
        raise env.refuse(
            name, f"must be {parts.scheme}://{form}@, with the sender's domain for mailgun behind it"
        )
    if bool(parts.hostname) != (parts.scheme in HOST_NAMES) or parts.port or parts.path.strip("/"):
        wanted = "the sender's domain" if parts.scheme in HOST_NAMES else "nothing but ?api_url="
        raise env.refuse(name, f"must have {wanted} behind the @")
    found: dict[str, object] = {f"{prefix}_{key}": secret for key, secret in zip(names, given, strict=True)}
    if parts.hostname:
        found[f"{prefix}_{HOST_NAMES[parts.scheme]}"] = parts.hostname
    for key, url in parse_qsl(parts.query, keep_blank_values=True):
        if key != "api_url" or not _is_api(url, schemes):
            raise env.refuse(name, f"takes ?api_url= with {' or '.join(schemes)} and nothing else")
        found[f"{prefix}_API_URL"] = url
    backend = f"secure_auth.providers.{parts.scheme.capitalize()}"
    return Mail(backend=backend, provider={**found, "REQUESTS_TIMEOUT": TIMEOUT_SECONDS})


def _is_api(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def sender(name: str, default: str) -> str:
    """An address, with or without a name; empty where the default is."""
    value = env.text(name)
    if value and ("@" not in parseaddr(value)[1] or not value.isprintable()):
        raise env.refuse(name, "must hold an e-mail address")
    return value or default


def domain_of(origin: str) -> str:
    """The host of an origin as mail addresses write it (RFC 5321 section 4.1.3)."""
    host = urlsplit(origin).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else host


def directory(name: str) -> Path | None:
    """A directory that exists; None when unset."""
    value = env.text(name)
    try:
        is_one = Path(value).is_dir()
    except OSError:  # a name that is too long
        is_one = False
    if value and not is_one:
        raise env.refuse(name, "must be a directory")
    return Path(value).resolve() if value else None
