"""The console in a real browser, over a log of a hundred thousand events."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from tests.client import Client, Person, new_email
from tests.conftest import new_address
from tests.logs import wait_for_entries
from tests.pages.seeding import seed
from tests.redis_processes import wait_until
from tests.server import Server
from tests.watcher import age

expect.set_options(timeout=30_000)  # of a busy machine
PROBE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

SignedIn = Callable[..., tuple[Page, Person]]


@pytest.fixture(scope="module", autouse=True)
def busy(server: Server) -> Server:
    """A day of many events lies behind this service."""
    seed(server)
    return server


@pytest.fixture
def page(signed_in: SignedIn) -> Page:
    """An admin's."""
    return signed_in(role="admin")[0]


def attempt(server: Server, *, agent: str = "", email: str = "") -> None:
    """A failed login."""
    client = Client(server, new_address())
    headers = {"User-Agent": agent} if agent else {}
    client.login(Person(email or new_email("stranger")), "a wrong passphrase", headers=headers)
    client.close()


def event_of(server: Server, *, type_: str, newest: bool = True) -> str:
    order = "DESC" if newest else "ASC"
    sql = f"SELECT e.id FROM audit_event e JOIN audit_entry n ON n.event = e.id WHERE e.type = %s ORDER BY e.id {order}"
    return str(server.rows(sql, [type_])[0][0])


def test_overview_counts_and_leads_to_the_events(page: Page) -> None:
    page.goto("/console/")
    expect(page.locator(".tile .number").nth(1)).not_to_have_text(re.compile(r"^0\b"))
    for name in page.locator(".tile .number a").all_text_contents():
        assert re.fullmatch(r"1 event: show it|(?!1 )\d+ events: show them", name.strip()), name
    page.locator(".tile .number a").nth(1).click()
    expect(page).to_have_url(re.compile(r"type=token\.reuse"))
    expect(page.locator("[data-events] tr").first).to_contain_text("token.reuse")


def test_a_click_on_a_value_narrows_the_list(page: Page) -> None:
    page.goto("/console/events/")
    page.locator('[data-events] [name="type"]', has_text="login.password").first.click()
    page.locator('[data-events] [name="ip"]').first.click()
    expect(page).to_have_url(re.compile(r"type=login\.password&ip="))
    texts = page.locator('[data-events] [name="type"]').all_inner_texts()
    assert texts
    assert set(texts) == {"login.password"}
    page.locator(".chips.active a").first.click()
    expect(page).not_to_have_url(re.compile("type="))


def test_a_click_on_a_reason_keeps_the_words_and_finds_no_longer_one(busy: Server, page: Page) -> None:
    address = new_address()
    client = Client(busy, address)
    for email in (new_email("stranger"), client.create_person().email):
        client.login(Person(email), "a wrong passphrase")
    client.close()
    page.goto(f"/console/events/?q={address}")
    page.locator('[data-events] [name="reason"]', has_text="wrong_password").first.click()
    expect(page).to_have_url(re.compile(f"q={address}&reason=wrong_password"))
    assert page.locator("[data-events] .reason").all_inner_texts() == ["wrong_password"]


def test_pages_lead_back_and_forth(page: Page) -> None:
    page.goto("/console/events/?type=token.refresh")
    first = page.locator("[data-events] .time").first.inner_text()
    page.get_by_role("link", name="Older").click()
    expect(page.locator("[data-events] .time").first).not_to_have_text(first)
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("[data-events] .time").first).to_have_text(first)


def draw_over_the_chart(page: Page, start: float, end: float, height: float = 0.5) -> None:
    """Press the mouse at one part of the chart's width and move to another, which may lie outside."""
    page.goto("/console/events/?type=token.refresh")
    box = page.locator("[data-bars]").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + box["height"] * height, steps=4)


@pytest.mark.parametrize(
    ("start", "end", "height"), [(0.3, 0.5, 0.5), (0.9, 0.4, 0.5), (0.6, 1.01, 0.5), (0.6, 0.9, -0.3)]
)
def test_a_span_is_brushed_over_the_chart(page: Page, start: float, end: float, height: float) -> None:
    draw_over_the_chart(page, start, end, height)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"type=token\.refresh&since=.*&until="))
    expect(page.locator("[data-events] tr")).to_have_count(30)


def test_a_stroke_over_the_chart_is_given_up_by_escape(page: Page) -> None:
    draw_over_the_chart(page, 0.3, 0.5)
    assert page.locator(".brushed").count() > 1
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".brushed")).to_have_count(0)
    assert "since" not in page.url


def test_an_event_is_verified_in_the_browser(busy: Server, page: Page) -> None:
    attempt(busy)
    page.goto(f"/console/events/{event_of(busy, type_='account.create')}/")
    expect(page.locator("[data-verdict]")).to_have_attribute("data-state", "pass")
    assert page.locator('[data-step][data-state="pass"]').count() == 7


def test_a_key_from_elsewhere_that_is_another_turns_red(busy: Server, page: Page) -> None:
    page.goto(f"/console/events/{event_of(busy, type_='account.create')}/")
    verdict = page.locator("[data-verdict]")
    expect(verdict).to_have_attribute("data-state", "pass")
    page.fill("[data-vkey]", "example.org/log+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    page.get_by_role("button", name="Check again").click()
    expect(verdict).to_have_attribute("data-state", "fail")
    # A slip in the key, as this is, says nothing of the event.
    assert page.locator('[data-step]:not([data-state="pass"])').evaluate_all(
        "lines => lines.map(({ dataset }) => [dataset.step, dataset.state])"
    ) == [["signature", "fail"], ["pinned", "none"]]


def test_an_event_whose_judge_was_lost_is_not_called_verified(busy: Server, page: Page) -> None:
    page.route("**/verify.*.js", lambda route: route.abort())
    page.goto(f"/console/events/{event_of(busy, type_='account.create')}/")
    expect(page.locator("[data-verdict]")).to_contain_text("Checking needs JavaScript", use_inner_text=True)


def test_a_live_tail_shows_what_arrives(busy: Server, page: Page) -> None:
    page.goto("/console/events/?type=login.password&outcome=failure")
    page.get_by_role("button", name="Watch live").click()
    stop = page.get_by_role("button", name="Stop watching")
    expect(stop).to_be_visible()
    attempt(busy, agent="Watched/1.0")
    expect(page.locator("[data-events] tr.fresh").first).to_contain_text("unknown_account")
    stop.click()
    expect(page.get_by_role("button", name="Watch live")).to_be_visible()


def test_a_live_tail_goes_on_from_the_list_and_from_where_it_was_stopped(busy: Server, page: Page) -> None:
    attempt(busy)
    page.goto("/console/events/?type=login.password&outcome=failure")
    for seen in (1, 2):
        attempt(busy)
        wait_for_entries(busy)
        page.get_by_role("button", name="Watch live").click()
        expect(page.locator("[data-events] tr.fresh")).to_have_count(seen)
        page.get_by_role("button", name="Stop watching").click()
    shown = page.locator("[data-events] .time").evaluate_all("links => links.map((link) => link.href)")
    page.reload()
    again = page.locator("[data-events] .time").evaluate_all("links => links.map((link) => link.href)")
    assert shown[: len(again)] == again  # no gap, nothing twice
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    expect(page.get_by_role("button", name="Watch live")).to_have_count(0)


def wait_for(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait for what the page asks, while its requests are served here."""
    for _ in range(600):
        if is_so():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true in time")


def test_a_live_tail_outlasts_answers_that_are_lost(busy: Server, page: Page) -> None:
    page.goto("/console/events/?type=login.password&outcome=failure")
    page.get_by_role("button", name="Watch live").click()
    live = page.locator("[data-live]")
    expect(live).to_have_text("+0")
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        if len(lost) == 1:
            route.abort()
        else:
            route.fulfill(status=502, body="a proxy's own words")

    page.route("**/console/events/tail/*/?cursor=*", lose)
    attempt(busy, agent="Missed/1.0")
    expect(live).to_contain_text("Asking again")
    wait_for(page, lambda: len(lost) > 1)
    page.unroute("**/console/events/tail/*/?cursor=*")
    expect(page.locator("[data-events] tr.fresh")).to_have_count(1)
    expect(live).to_have_text("+1")
    page.get_by_role("button", name="Stop watching").click()


def test_a_live_tail_that_is_begun_anew_asks_no_oftener(busy: Server, page: Page) -> None:
    page.goto("/console/events/?type=login.password&outcome=failure")
    held: list[Route] = []
    address = "**/console/events/tail/*/?cursor=*"
    page.route(address, lambda route: held.append(route))
    page.get_by_role("button", name="Watch live").click()
    wait_for(page, lambda: bool(held))
    page.get_by_role("button", name="Stop watching").click()
    page.get_by_role("button", name="Watch live").click()
    wait_for(page, lambda: len(held) == 2)
    for route in held:
        route.fulfill(json={"results": [], "cursor": "", "behind": False})
    wait_for(page, lambda: len(held) > 2)
    page.wait_for_timeout(500)
    assert len(held) == 3
    page.get_by_role("button", name="Stop watching").click()


def session_of(page: Page) -> str:
    (handle,) = (one["value"] for one in page.context.cookies() if one["name"] == "__Host-web")
    return handle.partition(".")[0]


def test_actions_ask_for_the_second_factor_first(busy: Server, page: Page) -> None:
    page.goto("/console/integrity/")
    expect(page.get_by_role("button", name="Verify the log now")).to_be_visible()
    age(busy, session_of(page), visit=False)
    page.goto("/console/integrity/")
    page.get_by_role("link", name="Confirm that it is you").click()
    expect(page).to_have_url(re.compile(r"/reauthenticate/\?next=%2Fconsole%2Fintegrity%2F"))


def test_the_bar_of_a_verification_outlasts_answers_that_are_lost(page: Page) -> None:
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        if len(lost) == 1:
            route.abort()
        elif len(lost) == 2:
            route.fulfill(status=502, body="a proxy's own words")
        else:
            route.continue_()

    page.route("**/console/integrity/progress/", lose)
    page.goto("/console/integrity/")
    page.get_by_role("button", name="Verify the log now").click()
    expect(page.locator(".verification").first).to_be_visible()
    assert len(lost) > 2


def is_judged(page: Page) -> bool:
    """Whether the event of this page, looked at anew, has its entry and is being verified."""
    if page.locator("[data-verdict]").count():
        return True
    page.reload()
    return False


def test_foreign_text_is_text(busy: Server, page: Page) -> None:
    attempt(busy, agent=PROBE, email=f"{PROBE}@example.org")
    page.goto("/console/events/?type=login.password")
    page.locator("[data-events] .time").first.click()
    expect(page.locator('[data-field="source.user_agent"]')).to_have_text(PROBE)
    wait_until(lambda: is_judged(page))
    expect(page.locator("[data-verdict]")).to_have_attribute("data-state", re.compile("pass|unable"))
    for path in ("events/?q=", "events/?ip=", "detections/?rule=", "?span=", "people/?q="):
        page.goto(f"/console/{path}{quote(PROBE)}")
    assert page.input_value("#q") == PROBE
    assert page.evaluate("window.hacked") is None


def test_reading_needs_no_script(signed_in: SignedIn) -> None:
    page, _ = signed_in(role="auditor", java_script_enabled=False)
    page.goto("/console/events/")
    page.select_option("#type", "token.reuse")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".chips.active")).to_contain_text("token.reuse")
    assert set(page.locator('[data-events] [name="type"]').all_inner_texts()) == {"token.reuse"}
    page.get_by_text("The same as a table").click()
    page.locator("tbody th button").first.click()
    expect(page).to_have_url(re.compile(r"type=token\.reuse&since=.*&until="))
    page.locator("[data-events] .time").first.click()
    expect(page.locator("[data-fields]")).to_contain_text("token.reuse")


def test_the_export_is_what_is_shown(page: Page, tmp_path: Path) -> None:
    page.goto("/console/events/?type=token.reuse")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="csv").click()
    target = tmp_path / "export.csv"
    waiting.value.save_as(target)
    lines = target.read_text().splitlines()
    assert len(lines) > 60  # the page shows thirty
    assert all("token.reuse" in line for line in lines[1:])
