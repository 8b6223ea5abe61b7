"""Another site in the same browser: it sends forms, frames a page, opens it, and reads nothing."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.client import Person
from tests.server import Server

FORM = """<!doctype html><form method="post" action="{target}">{inputs}</form>
<script>document.forms[0].submit()</script>"""
FRAME = """<!doctype html><iframe src="{target}" width="800" height="600"></iframe>"""


class Quiet(SimpleHTTPRequestHandler):
    """Files, without a word."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A site of an attacker: its address, another origin and another site, and its files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", tmp_path
        served.shutdown()
        thread.join()


def test_a_form_of_another_site_does_nothing(
    signed_in: Callable[..., tuple[Page, Person]], server: Server, site: tuple[str, Path]
) -> None:
    page, person = signed_in()
    origin, files = site
    page.goto("/")
    token = page.locator("input[name=form_token]").first.input_value()
    for number, path in enumerate(("/sign-out/", "/sessions/end-others/", "/recovery-codes/new/")):
        hidden = f'<input name="form_token" value="{token}">'
        (files / f"{number}.html").write_text(FORM.format(target=server.origin + path, inputs=hidden))
        page.goto(f"{origin}/{number}.html")
        page.wait_for_url(f"{server.origin}/**")
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Your recovery codes")
    page.goto("/")
    expect(page.locator(".who")).to_have_text(person.email)


def test_nobody_is_signed_in_to_somebody_elses_account(
    page: Page, server: Server, site: tuple[str, Path]
) -> None:
    origin, files = site
    fields = '<input name="email" value="thief@example.org"><input name="password" value="x"><input name="form_token">'
    (files / "in.html").write_text(FORM.format(target=f"{server.origin}/sign-in/", inputs=fields))
    page.goto("/sign-in/")
    page.goto(f"{origin}/in.html")
    page.wait_for_url(f"{server.origin}/**")
    expect(page.locator("main")).to_contain_text("Nothing was done.")


def test_no_page_is_framed(browser: Browser, server: Server, site: tuple[str, Path]) -> None:
    origin, files = site
    page = browser.new_context().new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    (files / "frame.html").write_text(FRAME.format(target=f"{server.origin}/"))
    with page.expect_event("console"):
        page.goto(f"{origin}/frame.html")
    assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in blocked), blocked
    assert "Secure Auth" not in "".join(frame.content() for frame in page.frames[1:])
    page.context.close()
