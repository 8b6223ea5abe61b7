"""Script injection (XSS).

Attacker: gets markup in front of a person: in an address, a header field, the name of an authenticator, a mail. Move:
`<script>` and the like. Expected: it comes back as JSON that no browser takes for a page, or not at all; pages allow no
inline script, and what a script could read holds no token (cookies are `HttpOnly`: tests/flows/test_cookies.py).
"""

import re
from urllib.parse import quote

import pytest

from tests.attacks.insider import parsing
from tests.client import Client, expect

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}'
PAGES = (
    "/",
    "/problems/",
    "/problems/not_found/",
    "/confirm/",
    "/reset/",
    "/enrol/",
    "/invited/",
    "/password/",
    "/api/docs/",
)
pytestmark = parsing


@pytest.mark.parametrize("path", PAGES)
def test_page_allows_no_inline_code_and_echoes_nothing(client: Client, path: str) -> None:
    page = client.get(
        f"{path}?q={quote(MARKUP)}", headers={"User-Agent": MARKUP, "Referer": f"https://x/{MARKUP}"}
    )
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "alert(1)" not in page.text
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>|\son\w+=", page.text)


@pytest.mark.parametrize(
    "path", ["/{}/", "/problems/{}/", "/api/v1/sessions/{}/", "/api/v1/me/?{}=1", "/static/{}"]
)
def test_address_with_markup_is_answered_without_a_page(client: Client, path: str) -> None:
    answer = client.get(path.format(quote(MARKUP, safe="")))
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_name_of_an_authenticator_stays_text(client: Client) -> None:
    """In the API and in its picture."""
    person = client.create_person()
    begun = expect(client.post("mfa/totp/", {"name": MARKUP[:64]}, person.access), 201)
    assert not re.search(r"<script|onerror", begun["qr_svg"])
    bound = client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": person.code()}, person.access)
    assert bound.status_code == 401  # the other authenticator's code
    listed = client.get("mfa/", person.access)
    assert listed.headers["Content-Type"] == "application/json"
    assert listed.headers["X-Content-Type-Options"] == "nosniff"


def test_mail_takes_no_markup_from_its_values(client: Client) -> None:
    person = client.create_person()
    expect(client.login(person), 200)
    client.http.headers["User-Agent"] = MARKUP
    client.sign_in(person)
    for message in client.mailbox(person).messages():
        html = str(message.get_body(("html",)).get_content())  # type: ignore[union-attr]
        assert not re.search(r"<(script|img|svg|form|iframe)|onerror=", html)
        assert message.get_content_type() == "multipart/alternative"
