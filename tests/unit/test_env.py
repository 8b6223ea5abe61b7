"""Environment variables: what is taken, and what is refused by name without repeating it."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from secure_auth import env
from secure_auth.webhook_settings import Webhooks, read_webhooks
from secure_auth.witness_settings import witnesses

NAME = "SOME_SETTING"
KEY = bytes(range(32))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda value: monkeypatch.setenv(NAME, value)


Given = Callable[[str], None]


def refused(read: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as error:
        read(NAME, *arguments, **options)
    assert NAME in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_unset_and_blank_are_the_default(given: Given) -> None:
    assert env.text(NAME, "x") == "x"
    given("  ")
    assert env.text(NAME, "x") == "x"
    assert env.integer(NAME, 7) == 7
    assert env.words(NAME) == ()
    assert env.master_key(NAME) is None


@pytest.mark.parametrize(
    "value", ["-1", "0", "1.5", "1e3", "ten", "٣", "0x10", "11", "1 0", "+1", "1" * 5000]
)
def test_number_outside_its_range_is_refused(given: Given, value: str) -> None:
    given(value)
    refused(env.integer, 1, least=1, most=10)


def test_networks_and_bare_addresses(given: Given) -> None:
    given("10.0.0.0/8, 127.0.0.1 ::1/128")
    assert [str(network) for network in env.networks(NAME)] == ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]
    for value in ("10.0.0.1/8", "proxy", "*", "10.0.0.0/33", "::ffff:0:0/96"):
        given(value)
        refused(env.networks)


def test_ipv4_mapped_networks_are_those_that_addresses_are_compared_with(given: Given) -> None:
    given("::ffff:127.0.0.1 ::ffff:10.0.0.0/104 ::/8")
    assert [str(network) for network in env.networks(NAME)] == ["127.0.0.1/32", "10.0.0.0/8", "::/8"]


def test_origin_is_a_bare_origin(given: Given) -> None:
    given("https://auth.example.com/")
    assert env.origin(NAME, "") == "https://auth.example.com"
    for value in (
        "auth.example.com", "ftp://example.com", "https://", "https://a/b", "https://a?b", "https://a#b",
        "https://user@a", "https://a:0", "https://a:99999", "*", "https://[::1", "https://a b",
        "https://a:", "https://ä.org", "https://a\tb",
    ):  # fmt: skip
        given(value)
        refused(env.origin, "")


@pytest.mark.parametrize(
    "host", ["*.example.com", "exa%6dple.com", 'a"b.example', "a<b>.example", "a,b.example"]
)
def test_origin_is_no_pattern_and_has_a_hosts_characters(given: Given, host: str) -> None:
    """One that no browser sends is taken for a promise: it would never match."""
    given(f"https://{host}")
    refused(env.origin, "")
    given("https://app_1.example.com")
    refused(env.origin, "")  # Django serves no such host
    assert env.origins(NAME, plain=False) == ("https://app_1.example.com",)
    for plain in ("https://[2001:db8::1]:8443", "HTTPS://A.example", "http://a"):
        given(plain)
        assert env.origin(NAME, "") == plain


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://localhost:8000", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80", True),
        ("http://app.localhost", True),
        ("https://localhost.example.com", False),
        ("https://10.0.0.1", False),
    ],
)
def test_loopback_names(url: str, is_ours: bool) -> None:
    assert env.is_loopback(url) is is_ours


def test_master_key_is_32_random_bytes(given: Given) -> None:
    for value in (KEY.hex(), base64.b64encode(KEY).decode()):
        given(value)
        assert env.master_key(NAME) == KEY
    for value in ("hunter2", "0" * 64, KEY.hex()[:-2], "A" * 43 + "=", "not base64!", KEY.hex() + "00"):
        given(value)
        assert value not in refused(env.master_key)


def test_host_names_have_no_port(given: Given) -> None:
    given("auth.internal, .example.org [::1]")
    assert env.hosts(NAME) == ("auth.internal", ".example.org", "[::1]")
    for value in ("https://auth.internal", "auth.internal:8443", "[::1]:8443", "::1"):
        given(value)
        refused(env.hosts)


def test_witness_is_a_key_and_a_url(given: Given) -> None:
    for value in ("key", "key https://[::1", "key https://witness.example.org"):
        given(value)
        refused(witnesses)


def test_database_is_sqlite_or_postgresql(given: Given) -> None:
    sqlite = env.database(NAME, Path("/data"), 5)
    assert sqlite["NAME"] == Path("/data/secure_auth.sqlite3")
    assert "journal_mode=WAL" in str(sqlite["OPTIONS"])
    given("postgres://someone:hunter2@db.example.org:5433/auth")
    postgres = env.database(NAME, Path("/data"), 5)
    assert (postgres["HOST"], postgres["PORT"], postgres["CONN_MAX_AGE"]) == ("db.example.org", 5433, 0)
    for value in ("mysql://hunter2@x/y", "sqlite:///x", "db.example.org", "postgres://u:hunter2[x@h/y"):
        given(value)
        assert "hunter2" not in refused(env.database, Path("/data"), 5)


def test_database_url_takes_no_option_that_each_query_would_fail_of(given: Given) -> None:
    given("postgres://h/auth?prepare_threshold=3")
    assert env.database(NAME, Path("/data"), 5)["OPTIONS"]["prepare_threshold"] == 3  # type: ignore[index]
    for option in ("prepare_threshold=None", "isolation_level=serializable", "isolation_level=4"):
        given(f"postgres://h/auth?{option}")
        assert option.partition("=")[0] in refused(env.database, Path("/data"), 5)


def test_webhooks_are_https_urls_and_one_or_two_secrets(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = "WEBHOOK_SECRET_UNDER_TEST"
    first, second = (f"whsec_{base64.b64encode(key).decode()}" for key in (KEY, KEY[::-1]))

    def refusal(value: str, secret: str, *, plain: bool = False) -> str:
        given(value)
        monkeypatch.setenv(secrets, secret)
        with pytest.raises(ImproperlyConfigured) as error:
            read_webhooks(NAME, secrets, plain=plain)
        return str(error.value)

    assert read_webhooks(NAME, secrets, plain=False) == Webhooks()
    given("https://a.example/hook, https://b.example:8443/?token=hunter2")
    monkeypatch.setenv(secrets, f"{first} {second}")
    both = read_webhooks(NAME, secrets, plain=False)
    assert (len(both.urls), both.secrets) == (2, (KEY, KEY[::-1]))
    assert str(KEY) not in repr(both)
    for url in (
        "http://a.example",
        "ftp://a.example",
        "https://",
        "https://a:b@c.example",
        "https://a.example/#x",
    ):
        assert refusal(url, first).startswith(NAME)
    assert refusal("ftp://a.example", first, plain=True).startswith(NAME)
    short = f"whsec_{base64.b64encode(KEY[:23]).decode()}"
    for secret in ("", short, first.removeprefix("whsec_"), "whsec_!", f"{first} {second} {first}"):
        told = refusal("https://a.example", secret)
        assert told.startswith(secrets)
        assert not secret or secret not in told


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy", "http_proxy"])
def test_proxy_that_no_client_of_ours_speaks_to_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for usable in ("", "http://proxy:3128", "https://user:secret@proxy", "proxy:3128", "HTTP://proxy"):
        monkeypatch.setenv(name, usable)
        env.demand_usable_proxies()
    for unusable in ("socks5://user:secret@proxy:1080", "socks4://proxy", "ftp://proxy"):
        monkeypatch.setenv(name, unusable)
        with pytest.raises(ImproperlyConfigured, match=name) as error:
            env.demand_usable_proxies()
        assert "secret" not in str(error.value)
