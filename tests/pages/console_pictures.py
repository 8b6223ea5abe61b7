"""Pictures of the console, over a day with attacks in it."""

import io

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.detecting import wait_for_any_detection
from tests.pages.conftest import enter
from tests.pages.seeding import seed
from tests.server import ROOT, Server

IMAGES = ROOT / "docs" / "images"
VIEWS = (("wide", 1280, 800, "light"), ("wide", 1280, 800, "dark"), ("narrow", 360, 740, "dark"))
QUALITY = 78
HERE = "192.0.2.18"


def attack(server: Server) -> str:
    """A guessed password and a reused refresh token; the id of the event that tells of the latter."""
    client = Client(server, new_address())
    person = client.create_person(email="grace@example.org")
    for number in range(12):
        stranger = Client(server, f"203.0.113.{7 + number % 3}")
        stranger.login(Person(person.email), f"wrong {number}")
        stranger.login(Person(new_email("nobody")), "wrong")
        stranger.close()
    old = person.refresh
    person.keep(expect(client.refresh(old), 200))
    client.refresh(old)
    client.close()
    return str(
        server.rows("SELECT max(id) FROM audit_event WHERE type = 'token.reuse' AND session <> ''")[0][0]
    )


def draw(page: Page, name: str) -> None:
    """The first screens of a page."""
    for size, width, height, scheme in VIEWS:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": height})
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        cut = picture.crop((0, 0, picture.width, min(picture.height, 2 * height)))
        cut.save(IMAGES / f"console-{name}-{size}-{scheme}.webp", quality=QUALITY, method=6)


def draw_console(browser: Browser, server: Server) -> None:
    """Every page of it."""
    seed(server)
    event = attack(server)
    client = Client(server, HERE)
    admin = client.create_person(role="admin", email="edith@example.org")
    wait_for_any_detection(client, admin, "refresh_reuse")
    ((user,),) = server.rows("SELECT id FROM secure_auth_user WHERE email = 'grace@example.org'")
    context = browser.new_context(base_url=server.origin, extra_http_headers={"X-Forwarded-For": HERE})
    enter(context, server, admin, HERE)
    page = context.new_page()
    pages = {
        "overview": "", "events": "events/", "event": f"events/{event}/", "detections": "detections/",
        "person": f"people/{user}/", "integrity": "integrity/",
    }  # fmt: skip
    for name, path in pages.items():
        page.goto(f"/console/{path}", wait_until="networkidle")
        draw(page, name)
    context.close()
    client.close()
