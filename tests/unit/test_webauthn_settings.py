"""The relying party's id as the environment names it: a domain in any case, and whose it may be."""

import pytest
from django.core.exceptions import ImproperlyConfigured

import tests.ready  # noqa: F401
from secure_auth.webauthn_settings import rp_id

RELATED = "https://login.example.net"
NO_DOMAINS = [
    "https://example.com",
    "example.com:8443",
    "example.com/",
    "example.com.",
    ".example.com",
    "exa mple.com",
    "*.example.com",
    "-example.com",
    "bücher.example",
    "127.0.0.1",
    "[::1]",
]


def read(monkeypatch: pytest.MonkeyPatch, value: str, origin: str, *related: str) -> str:
    monkeypatch.setenv("WEBAUTHN_RP_ID", value)
    return rp_id("WEBAUTHN_RP_ID", origin=origin, related=related)


@pytest.mark.parametrize("value", NO_DOMAINS)
@pytest.mark.parametrize("origin", [RELATED, "http://localhost:8000"])
def test_what_is_no_domain_is_refused_also_where_any_domain_may_be(
    monkeypatch: pytest.MonkeyPatch, value: str, origin: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^WEBAUTHN_RP_ID must be a domain"):
        read(monkeypatch, value, origin, RELATED)


@pytest.mark.parametrize("host", ["10.0.0.5", "2001:db8::1"])
def test_service_at_an_address_starts_without_passkeys(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """No id is right for it: what nobody set is no reason to refuse the start."""
    origin = f"https://[{host}]" if ":" in host else f"https://{host}"
    assert read(monkeypatch, "", origin) == host


def test_domains_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, "Example.com", RELATED, RELATED) == "example.com"
    assert read(monkeypatch, "xn--bcher-kva.example", RELATED, RELATED) == "xn--bcher-kva.example"
    assert read(monkeypatch, "4you.example", "https://a.4you.example") == "4you.example"
    assert read(monkeypatch, "intranet", "https://intranet:8443") == "intranet"
    for origin in ("http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"):
        assert read(monkeypatch, "", origin) == "localhost"


def test_refused_id_is_told_how_it_may_stay_under_another_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="unless WEBAUTHN_RELATED_ORIGINS names ORIGIN"):
        read(monkeypatch, "old.example.org", "https://new.example.com")
    assert read(monkeypatch, "old.example.org", RELATED, RELATED) == "old.example.org"
