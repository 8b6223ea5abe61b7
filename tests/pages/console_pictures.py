"""Pictures of the console, over a day with attacks in it."""

import io

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.detecting import wait_for_any_detection
from tests.pages.conftest import enter
from tests.pages.seeding import A_BUSY_DAY, seed
from tests.server import ROOT, Server

IMAGES = ROOT / "docs" / "images"
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
LIGHT, BOTH, ALL = ["wide-light"], ["wide-light", "narrow-dark"], ["wide-light", "wide-dark", "narrow-dark"]
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


def draw(page: Page, name: str, views: list[str]) -> None:
    """The first screens of a page."""
    for view in views:
        size, scheme = view.split("-")
        width, height = SIZES[size]
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": height})
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        cut = picture.crop((0, 0, picture.width, min(picture.height, 2 * height)))
        cut.save(IMAGES / f"console-{name}-{view}.webp", quality=QUALITY, method=6)


def draw_console(browser: Browser, server: Server) -> None:
    """Every page of it."""
    seed(server, A_BUSY_DAY)
    event = attack(server)
    client = Client(server, HERE)
    admin = client.create_person(role="admin", email="edith@example.org")
    wait_for_any_detection(client, admin, "refresh_reuse")
    ((user,),) = server.rows("SELECT id FROM secure_auth_user WHERE email = 'grace@example.org'")
    context = browser.new_context(base_url=server.origin, extra_http_headers={"X-Forwarded-For": HERE})
    enter(context, server, admin, HERE)
    page = context.new_page()
    pages = {
        "overview": ("", ALL),
        "events": ("events/", BOTH),
        "event": (f"events/{event}/", ALL),
        "detections": ("detections/", LIGHT),
        "person": (f"people/{user}/", LIGHT),
        "integrity": ("integrity/", LIGHT),
    }
    for name, (path, views) in pages.items():
        page.goto(f"/console/{path}", wait_until="networkidle")
        draw(page, name, views)
    context.close()
    client.close()
