"""The console for everyone: axe-core finds nothing, in both themes, narrow and wide; each page is light."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.logs import wait_for_entries
from tests.pages.seeding import seed
from tests.pages.test_console import SignedIn, event_of
from tests.pages.test_everyone import MOST_BYTES, Judge, load
from tests.server import Server
from tests.watcher import age


@pytest.fixture
def admin(signed_in: SignedIn) -> Page:
    """A page whose policy lets axe in."""
    return signed_in(role="admin", bypass_csp=True, reduced_motion="reduce")[0]


def session_of(page: Page) -> str:
    handle = next(one for one in page.context.cookies() if one["name"] == "__Host-web")
    return handle["value"].partition(".")[0]


def test_every_page_of_the_console(admin: Page, server: Server, axe: str) -> None:
    judge = Judge(axe)
    wait_for_entries(server)
    event = event_of(server, type_="account.create")
    ((user,),) = server.rows('SELECT max("id") FROM secure_auth_user')
    for path in (
        "",
        "events/",
        f"events/{event}/",
        "detections/",
        "people/",
        f"people/{user}/",
        "integrity/",
    ):
        answer = admin.goto(f"/console/{path}")
        assert answer
        assert answer.status == 200, path
        for details in admin.locator("details").all():
            details.evaluate("one => one.open = true")
        judge.look(admin, f"/console/{path}")
    admin.goto("/console/events/?since=yesterday")
    judge.look(admin, "a filter that is refused")
    admin.goto(f"/console/people/{user}/")
    admin.fill("#reason", "asked for by phone")
    age(server, session_of(admin), visit=False)
    admin.get_by_role("button", name="Unlock").click()
    admin.wait_for_url("**/unlock/")
    judge.look(admin, "the factor asked for beside a reason")
    assert judge.faults == [], "\n".join(judge.faults)


def test_each_page_of_the_console_is_light(signed_in: SignedIn, server: Server) -> None:
    page, _ = signed_in(role="admin")
    event = event_of(server, type_="account.create")
    for path in ("?span=week", "events/", f"events/{event}/", "people/", "integrity/"):
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        sizes = load(page, f"/console/{path}")
        assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_filters_weigh_little(signed_in: SignedIn, server: Server) -> None:
    seed(server)
    page, _ = signed_in(role="admin")
    filters = {
        "type": "login.password",
        "severity": "low",
        "q": "wrong_password Seed/1.0 10.0. 1",
        "since": f"{datetime.now(UTC) - timedelta(days=7):%Y-%m-%dT%H:%M}",
        "until": f"{datetime.now(UTC):%Y-%m-%dT%H:%M}",
    }
    sizes = load(page, f"/console/events/?{urlencode(filters)}")
    assert page.locator("[data-events] tr").count() == 30
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_no_event_is_cut_off_on_a_phone(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor", viewport={"width": 360, "height": 740}, locale="de")
    page.goto("/console/events/")
    expect(page.locator("[data-events] tr").first).to_be_visible()
    assert page.locator(".table").evaluate("table => table.scrollWidth <= table.clientWidth")


def test_a_wrong_filter_is_not_called_a_list_without_events(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor")
    page.goto("/console/events/?since=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("since")
    assert page.locator("text=No event matches.").count() == 0


def test_a_wrong_filter_says_at_its_field_what_is_wrong(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor")
    for name in ("q", "user", "ip", "reason", "session", "request_id", "since", "until"):
        page.goto(f"/console/events/?{urlencode({name: 'much too long ' * 30})}")
        told = page.get_by_role("alert").get_by_role("listitem").inner_text()
        field = page.locator("[aria-invalid]")
        expect(field).to_have_attribute("name", name)
        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(re.compile(re.escape(told)))


def test_a_value_that_turns_the_writing_turns_nothing_else(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor")
    page.goto(f"/console/events/?{urlencode({'q': chr(0x202E) + 'abc'})}")
    chip = page.locator(".chips.active a")
    value, cross = chip.locator("bdi").bounding_box(), chip.locator("[aria-hidden]").bounding_box()
    assert value
    assert cross
    assert value["x"] + value["width"] <= cross["x"]


def test_a_key_of_the_chart_stands_beside_its_words(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor", viewport={"width": 360, "height": 740}, locale="de")
    page.goto("/console/")
    lines = page.locator("figcaption .key").evaluate_all(
        """keys => keys.map((key) => {
             const words = document.createRange();
             words.selectNode(key.nextSibling);
             return [key, words].map((one) => one.getBoundingClientRect());
           })"""
    )
    assert len(lines) == 2
    for key, words in lines:
        assert words["top"] <= key["top"] <= words["bottom"]


def test_with_large_text_on_a_phone_an_id_is_no_column_of_letters(
    signed_in: SignedIn, server: Server
) -> None:
    seed(server)
    page, _ = signed_in(role="auditor", viewport={"width": 360, "height": 740}, bypass_csp=True)
    page.goto("/console/")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    link = page.locator(".ranks a").last
    assert link.evaluate("one => one.clientWidth / parseFloat(getComputedStyle(one).fontSize)") >= 5
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_chart_is_zoomed_by_two_fingers_and_chooses_no_span(signed_in: SignedIn) -> None:
    page, _ = signed_in(
        role="auditor", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    page.goto("/console/events/")
    chart = page.locator("[data-bars]")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    tools, row = page.context.new_cdp_session(page), box["y"] + box["height"] / 2

    def touch(kind: str, *parts: float) -> None:
        points = [
            {"x": box["x"] + box["width"] * part, "y": row, "id": id_} for id_, part in enumerate(parts)
        ]
        tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.45)
    touch("touchStart", 0.45, 0.55)
    for apart in (0.1, 0.2, 0.3):
        touch("touchMove", 0.45 - apart, 0.55 + apart)
    touch("touchEnd", 0.15)
    touch("touchEnd")
    page.wait_for_function("visualViewport.scale > 1.2")
    assert "since" not in page.url


def test_who_watches_by_key_stops_by_the_same_key(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor")
    page.goto("/console/events/")
    page.get_by_role("button", name="Watch live").press("Enter")
    stop = page.get_by_role("button", name="Stop watching")
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Watch live")).to_be_focused()


def test_of_a_burst_few_rows_are_painted_in_each_frame(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor")
    page.goto("/console/events/")
    source = {"ip": "192.0.2.1", "user_agent": ""}
    burst = [{"id": f"{number:032x}", "time": "now", "source": source} for number in range(100)]
    page.route(
        "**/console/events/tail/*/?cursor=*",
        lambda route: route.fulfill(json={"results": burst, "cursor": "", "behind": False}),
    )
    page.get_by_role("button", name="Watch live").click()
    expect(page.locator("[data-events] tr.fresh")).to_have_count(100)
    ids = page.locator("[data-events] .time").evaluate_all("links => links.map(({ pathname }) => pathname)")
    assert ids[:100] == [f"/console/events/{one['id']}/" for one in reversed(burst)]
    arriving = page.evaluate(
        "document.getAnimations().filter((one) => one.animationName === 'arrive').length"
    )
    assert 0 < arriving <= 8
    page.get_by_role("button", name="Stop watching").click()
