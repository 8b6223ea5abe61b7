"""Browsers write an origin in lower case and without its scheme's own port, however its operator wrote it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server, running_server

BROWSERS_ORIGIN = "http://localhost"
LOGIN = {"email": "nobody@example.org", "password": "wrong but long enough"}


@pytest.fixture(scope="module")
def spelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("origin")
    spelling = {"ORIGIN": "http://LocalHost:80", "CORS_ORIGINS": "https://App.example.com:443"}
    with running_server("sqlite", directory, worker=False, environment=spelling) as server:
        yield server


def test_page_under_its_own_name_is_shown_and_not_redirected(spelled: Server) -> None:
    answer = httpx.get(f"{spelled.url}/sign-in/", headers={"Host": "localhost"}, trust_env=False)
    assert answer.status_code == 200, answer.headers


def test_page_under_another_name_leads_to_where_no_further_redirect_waits(spelled: Server) -> None:
    answer = httpx.get(f"{spelled.url}/sign-in/", headers={"Host": "127.0.0.1"}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{BROWSERS_ORIGIN}/sign-in/")


def test_origin_as_browsers_write_it_is_our_own(spelled: Server) -> None:
    headers = {"Host": "127.0.0.1", "Origin": BROWSERS_ORIGIN, "X-Token-Delivery": "cookie"}
    answer = httpx.post(f"{spelled.url}/api/v1/login/", json=LOGIN, headers=headers, trust_env=False)
    assert answer.json()["code"] == "invalid_credentials"


def test_origin_of_another_program_is_known_as_browsers_write_it(spelled: Server) -> None:
    headers = {"Host": "localhost", "Origin": "https://app.example.com"}
    answer = httpx.get(f"{spelled.url}/healthz", headers=headers, trust_env=False)
    assert answer.headers.get("Access-Control-Allow-Origin") == "https://app.example.com"


def test_scheme_in_capitals_is_that_scheme(tmp_path: Path) -> None:
    with running_server(
        "sqlite", tmp_path, worker=False, environment={"ORIGIN": "HTTPS://LocalHost"}
    ) as server:
        answer = httpx.get(f"{server.url}/sign-in/", headers={"Host": "localhost"}, trust_env=False)
        assert (answer.status_code, answer.headers.get("Location")) == (301, "https://localhost/sign-in/")
        answer = httpx.post(f"{server.url}/api/v1/login/", json=LOGIN, trust_env=False)
        assert answer.json()["detail"] == "Use https."


def test_address_of_ipv6_is_a_name_like_any_other(tmp_path: Path) -> None:
    written = "[0:0:0:0:0:0:0:1]"  # no name that a loopback installation lets in besides
    environment = {"ORIGIN": f"http://{written}"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        answer = httpx.get(f"{server.url}/sign-in/", headers={"Host": written}, trust_env=False)
        assert answer.status_code == 200, answer.text
        told = httpx.get(f"{server.url}/.well-known/security.txt", trust_env=False).text
        assert "mailto:security@%5BIPv6%3A0%3A0%3A0%3A0%3A0%3A0%3A0%3A1%5D\n" in told
        shown = server.manage(
            "shell", "--command", "from django.conf import settings as s; print(s.DEFAULT_FROM_EMAIL)"
        )
        assert "<no-reply@[IPv6:0:0:0:0:0:0:0:1]>" in shown.stdout


def test_form_under_a_further_name_leads_to_origin_and_does_nothing(tmp_path: Path) -> None:
    environment = {"ALLOWED_HOSTS": "auth.internal"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        for origin, status in (("http://auth.internal", 302), ("http://evil.example", 403)):
            headers = {"Host": "auth.internal", "Origin": origin}
            answer = httpx.post(f"{server.url}/sign-in/", data=LOGIN, headers=headers, trust_env=False)
            assert (answer.status_code, "Location" in answer.headers) == (status, status == 302), answer.text
            assert answer.headers.get("Location", f"{server.origin}/sign-in/") == f"{server.origin}/sign-in/"
