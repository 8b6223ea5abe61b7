"""Draws the pages for the documentation: `make screenshots` writes docs/images/ anew, narrow, wide, light and dark."""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.client import Client, Person
from tests.pages.conftest import enter
from tests.pages.console_pictures import draw_console
from tests.server import ROOT, Server, running_server
from tests.visitor import Visitor

IMAGES = ROOT / "docs" / "images"
SIZES = {"narrow": (360, 740), "wide": (1280, 800)}
QUALITY = 82
AGENTS = {
    "198.51.100.24": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "203.0.113.80": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
}
HERE = "192.0.2.17"
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def draw(page: Page, name: str) -> None:
    """One page as it is, four times."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
            picture.convert("RGB").save(IMAGES / f"{name}-{size}-{scheme}.webp", quality=QUALITY, method=6)


def make_person(server: Server) -> Person:
    """Somebody with an app, three sessions and a known device."""
    client = Client(server, HERE)
    client.http.headers["User-Agent"] = AGENT
    person = client.create_person(email="ada@example.org")
    client.close()
    for address, agent in AGENTS.items():
        visitor = Visitor(server, address, agent=agent)
        visitor.prove_password(person)
        visitor.open("/sign-in/code/?with=recovery_code")
        visitor.fill(code=person.recovery_codes.pop(), remember_device="true")
        visitor.close()
    server.rows("UPDATE mfa_totpauthenticator SET name = 'My phone'")
    return person


def draw_all(browser: Browser, server: Server) -> None:
    person = make_person(server)
    context = browser.new_context(
        base_url=server.origin, extra_http_headers={"X-Forwarded-For": HERE}, user_agent=AGENT
    )
    page = context.new_page()
    for name, path in (("welcome", "/"), ("sign-in", "/sign-in/")):
        page.goto(path)
        draw(page, name)
    enter(context, server, person, HERE, agent=AGENT)
    page.goto("/")
    draw(page, "security")
    page.goto("/activity/")
    page.goto("/enrol/")
    page.click("main form button.full")
    page.wait_for_url("**/enrol/app/")
    draw(page, "enrol")
    page.goto("/recovery-codes/new/")
    page.click("main form button.full")
    page.wait_for_url("**/recovery-codes/")
    draw(page, "recovery-codes")
    context.close()


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        with running_server("sqlite", Path(folder), worker=False) as server:
            draw_all(browser, server)
        with running_server("sqlite", Path(folder) / "console") as server:
            draw_console(browser, server)
        browser.close()
    print(f"{sum(one.stat().st_size for one in IMAGES.glob('*.webp')) // 1024} KiB in {IMAGES}")


if __name__ == "__main__":
    main()
