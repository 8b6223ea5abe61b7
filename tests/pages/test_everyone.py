"""Every page for everyone: axe-core finds nothing (WCAG 2.2 AA), in both themes, narrow and wide; each is light."""

from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Response

from tests.client import PASSWORD, Person
from tests.pages.doing import GO, enrol, prove_password, register
from tests.pages.keys import Key, bind
from tests.server import LONG, Server

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MOST_BYTES = 100 * 1024
NARROWEST = 320  # WCAG 2.2, 1.4.10: a window of 1280 at 400 %
SEEN: dict[Literal["light", "dark"], tuple[int, ...]] = {"light": (360, 1280), "dark": (1280, 360)}
if not LONG:
    SEEN = {scheme: widths[:1] for scheme, widths in SEEN.items()}
OWN = (
    "/",
    "/activity/",
    "/password/",
    "/enrol/",
    "/recovery-codes/new/",
    "/reauthenticate/",
    "/passkeys/new/",
    "/address/change/",
    "/account/data/",
    "/account/delete/",
)
# How many letters of its height fit into a field.
ROOM_OF_LETTERS = """field => {
  const { paddingLeft, paddingRight, fontSize } = getComputedStyle(field);
  return (field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)) / parseFloat(fontSize);
}"""
LINES = """button => {
  const words = document.createRange();
  words.selectNodeContents(button);
  return words.getClientRects().length;
}"""
NewContext = Callable[..., BrowserContext]


class Judge:
    """Looks at a page as people see it: light on a phone, dark on a large screen; in the long run each on both."""

    def __init__(self, axe: str) -> None:
        self.axe = axe
        self.seen: list[str] = []
        self.faults: list[str] = []

    def look(self, page: Page, name: str) -> None:
        self.seen.append(name)
        page.evaluate(self.axe)
        for scheme, widths in SEEN.items():
            page.emulate_media(color_scheme=scheme)
            for width in widths:
                page.set_viewport_size({"width": width, "height": 800})
                found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
                where = f"{name} {scheme} {width}px"
                self.faults += [self._tell(where, one) for one in found["violations"]]
                self.measure(page, width, where)
        page.set_viewport_size({"width": NARROWEST, "height": 800})
        self.measure(page, NARROWEST, f"{name} {NARROWEST}px")

    def measure(self, page: Page, width: int, where: str) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            self.faults.append(f"{where}: {wide} px wide")

    @staticmethod
    def _tell(where: str, violation: dict[str, Any]) -> str:
        nodes = "; ".join(
            node["html"][:160] + " " + node["failureSummary"] for node in violation["nodes"][:2]
        )
        return f"{where}: {violation['id']}: {nodes}"


@pytest.fixture
def judge(axe: str) -> Iterator[Judge]:
    looking = Judge(axe)
    yield looking
    assert looking.faults == [], "\n".join(looking.faults)


@pytest.fixture
def unhindered(new_context: NewContext) -> Page:
    """A page whose policy lets axe in."""
    return new_context(bypass_csp=True, reduced_motion="reduce").new_page()


def test_every_page_of_the_way_in(unhindered: Page, server: Server, judge: Judge) -> None:
    page = unhindered
    for path in (
        "/",
        "/sign-in/",
        "/sign-up/",
        "/sign-up/sent/",
        "/confirm/",
        "/forgot/",
        "/forgot/sent/",
        "/reset/",
    ):
        page.goto(path)
        judge.look(page, path)
    for path in ("/problems/", "/problems/invalid_token/", "/nowhere/"):
        page.goto(path)
        judge.look(page, path)
    prove_password(page, Person("nobody@example.org"))
    page.wait_for_selector("[role=alert]")
    judge.look(page, "/sign-in/ refused")
    person, token = register(page, server)
    page.goto(f"/confirm/#token={token}")
    page.fill("#id_password", PASSWORD)
    page.click(GO)
    page.wait_for_url("**/enrol/")
    judge.look(page, "/enrol/")
    page.click(GO)
    page.wait_for_url("**/enrol/app/*")
    page.fill("#id_code", "000000")
    page.click(GO)
    page.wait_for_selector("[role=alert]")
    judge.look(page, "/enrol/app/ refused")
    page.goto("/enrol/")
    enrol(page, person)
    judge.look(page, "/recovery-codes/")


def test_every_page_of_who_is_signed_in(
    signed_in: Callable[..., tuple[Page, Person]], server: Server, judge: Judge, new_context: NewContext
) -> None:
    page, person = signed_in(bypass_csp=True, reduced_motion="reduce")
    for path in OWN:
        page.goto(path)
        judge.look(page, path)
    page.goto("/")
    page.click("a[href^='/authenticators/']")
    judge.look(page, "/authenticators/{}/remove/")
    other = new_context(bypass_csp=True, reduced_motion="reduce").new_page()
    prove_password(other, person)
    other.wait_for_url("**/sign-in/code/")
    judge.look(other, "/sign-in/code/")
    other.click("text=Use a recovery code")
    judge.look(other, "/sign-in/code/?with=recovery_code")


def test_long_german_words_fit_on_a_phone(
    signed_in: Callable[..., tuple[Page, Person]], judge: Judge
) -> None:
    page, _ = signed_in(locale="de-DE")
    page.set_viewport_size({"width": NARROWEST, "height": 800})
    for path in OWN:
        page.goto(path)
        judge.measure(page, NARROWEST, f"{path} in German")
    page.goto("/recovery-codes/new/")
    page.click(GO)
    page.wait_for_url("**/recovery-codes/")
    judge.measure(page, NARROWEST, "/recovery-codes/ in German")
    assert "\u00ad" in (page.locator("h1").text_content() or "")  # breaks with a hyphen, dictionary or not
    assert "\u00ad" not in page.title()
    assert page.locator("html").get_attribute("lang") == "de"


def test_text_of_twice_the_size_keeps_to_the_page(signed_in: Callable[..., tuple[Page, Person]]) -> None:
    page, person = signed_in(role="admin", locale="de-DE", bypass_csp=True)
    for width, path in (
        (1280, f"/console/people/?q={person.email}"),
        (360, "/password/"),
        (360, "/problems/"),
    ):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(path)
        if width == 1280:
            page.click(f"td >> text={person.email}")
            page.wait_for_url("**/console/people/*/")
        page.add_style_tag(content="html { font-size: 200%; }")
        assert page.evaluate("document.documentElement.scrollWidth") == width, path


def test_a_long_german_label_keeps_to_its_column(signed_in: Callable[..., tuple[Page, Person]]) -> None:
    page, person = signed_in(role="admin", locale="de-DE")
    page.set_viewport_size({"width": NARROWEST, "height": 800})
    page.goto(f"/console/people/?q={person.email}")
    page.click(f"td >> text={person.email}")
    for label in page.locator(".fields dt").all():
        assert label.evaluate("it => it.scrollWidth <= it.clientWidth"), label.inner_text()


def test_every_page_of_who_has_a_passkey(
    signed_in: Callable[..., tuple[Page, Person]], judge: Judge, new_context: NewContext
) -> None:
    page, person = signed_in(bypass_csp=True, reduced_motion="reduce")
    Key(page)
    bind(page)
    judge.look(page, "/ with a passkey")
    for path in ("/reauthenticate/", "/reauthenticate/highest/"):
        page.goto(path)
        judge.look(page, f"{path} with a passkey")
    page.goto("/")
    page.get_by_role("link", name="Rename: My laptop").click()
    judge.look(page, "/authenticators/{}/rename/")
    other = new_context(bypass_csp=True, reduced_motion="reduce").new_page()
    prove_password(other, person)
    other.wait_for_url("**/sign-in/code/")
    judge.look(other, "/sign-in/code/ with a passkey")
    other.goto("/sign-up/")
    other.fill("#id_password", "short")
    other.wait_for_selector("[data-words]:not(:empty)")
    judge.look(other, "/sign-up/ with a meter")


def test_each_page_is_light(signed_in: Callable[..., tuple[Page, Person]], new_context: NewContext) -> None:
    page, _ = signed_in()
    cookies: Any = page.context.cookies()
    for path in ("/", "/activity/", "/password/", "/enrol/"):
        cold = new_context()
        cold.add_cookies(cookies)
        sizes = load(cold.new_page(), path)
        assert sum(sizes.values()) <= MOST_BYTES, sizes
        assert len({urlsplit(url).netloc for url in sizes}) == 1, sizes
        cold.close()


def load(page: Page, path: str) -> dict[str, int]:
    """How many bytes each address took that a page needs."""
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))
    page.goto(path, wait_until="networkidle")
    sizes = {response.url: response.request.sizes() for response in loaded}
    return {url: size["responseBodySize"] + size["responseHeadersSize"] for url, size in sizes.items()}


def test_a_button_says_what_it_does_and_no_second_state(page: Page) -> None:
    page.goto("/sign-in/")
    for told, then in (("Show", "Hide"), ("Hide", "Show")):
        page.get_by_role("button", name=f"{told}: Password").click()
        turned = page.get_by_role("button", name=f"{then}: Password")
        assert turned.get_attribute("aria-pressed") is None


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Sign in"
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in/")
    assert page.evaluate("document.activeElement.id") == "id_email"


@pytest.mark.parametrize("text_size", ["100%", "200%"])
def test_the_button_that_shows_a_password_covers_none_of_it(new_context: NewContext, text_size: str) -> None:
    page = new_context(locale="de", bypass_csp=True).new_page()
    page.set_viewport_size({"width": NARROWEST, "height": 800})
    page.goto("/sign-in/")
    page.evaluate("size => document.documentElement.style.fontSize = size", text_size)
    page.get_by_role("button", name="Zeigen: Passwort").click()
    field = page.locator("#id_password").bounding_box()
    button = page.get_by_role("button", name="Verbergen: Passwort").bounding_box()
    assert field
    assert button
    is_beside = button["x"] >= field["x"] + field["width"]
    assert is_beside or button["y"] >= field["y"] + field["height"]
    assert page.locator("#id_password").evaluate(ROOM_OF_LETTERS) >= 3


def test_a_long_address_leaves_the_way_out_on_one_line(
    signed_in: Callable[..., tuple[Page, Person]],
) -> None:
    page, _ = signed_in(viewport={"width": NARROWEST, "height": 800})
    page.goto("/")
    page.locator(".who").evaluate("one => one.textContent = 'of-many-letters'.repeat(9)")
    lines = page.get_by_role("button", name="Sign out").evaluate(LINES)
    assert lines == 1
    assert page.evaluate("document.documentElement.scrollWidth") == NARROWEST
