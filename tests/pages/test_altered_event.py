"""Attacker: owns the database or stands between service and browser.
Move: alters a stored event, alters or removes its personal data, or meddles with the proof that a page brings.
Refusal: the page's own check turns red, or amber where one event cannot tell; nothing that it shows is called verified.
"""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.client import Client
from tests.conftest import new_address
from tests.pages.test_console import SignedIn
from tests.redis_processes import wait_until
from tests.server import Server

COVERED = """SELECT 1 FROM audit_entry n JOIN audit_checkpoint c ON c.log = n.log AND c.size > n."index"
              WHERE n.event = %s"""
OF_EVENT = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"


@pytest.fixture
def page(signed_in: SignedIn) -> Page:
    return signed_in(role="auditor")[0]


def new_event(server: Server) -> str:
    """A failed login that is an entry."""
    client = Client(server, new_address())
    client.login(client.create_person(), "a wrong passphrase")
    client.close()
    ((newest,),) = server.rows("SELECT max(id) FROM audit_event WHERE type = 'login.password'")
    wait_until(lambda: server.rows(COVERED, [newest]))
    return str(newest)


def alter(server: Server, table: str, change: str, event: str) -> None:
    """Change a row as whoever owns the database can."""
    key = "id" if table == "audit_event" else "event"
    run_without_triggers(server, table, f"UPDATE {table} SET {change} WHERE {key} = %s", event)


def run_without_triggers(server: Server, table: str, statement: str, event: str) -> None:
    triggers = server.rows(OF_EVENT, [table])
    for name, _ in triggers:
        server.rows(f'DROP TRIGGER "{name}"')
    server.rows(statement, [event])
    for _, sql in triggers:
        server.rows(sql)


def failed_steps(page: Page, event: str) -> set[str]:
    page.goto(f"/console/events/{event}/")
    expect(page.locator("[data-verdict]")).to_have_attribute("data-state", "fail")
    found = page.locator('[data-step][data-state="fail"]')
    return {str(found.nth(number).get_attribute("data-step")) for number in range(found.count())}


def test_an_altered_event_turns_red(server: Server, page: Page) -> None:
    event = new_event(server)
    alter(server, "audit_event", "outcome = 'success'", event)
    assert failed_steps(page, event) == {"leaf", "path"}


def test_altered_personal_data_turns_red(server: Server, page: Page) -> None:
    event = new_event(server)
    alter(server, "audit_personaldata", "ip = '203.0.113.66'", event)
    assert failed_steps(page, event) == {"told"}


def test_removed_personal_data_is_named_and_never_green(server: Server, page: Page) -> None:
    event = new_event(server)
    statement = "DELETE FROM audit_personaldata WHERE event = %s"
    run_without_triggers(server, "audit_personaldata", statement, event)
    page.goto(f"/console/events/{event}/")
    expect(page.locator("[data-verdict]")).to_have_attribute("data-state", "erased")
    expect(page.locator("[data-verdict]")).to_contain_text("verification of the whole log")
    expect(page.locator('[data-step="openings"]')).to_have_attribute("data-state", "none")
    expect(page.locator("[data-removed]")).to_contain_text("ip, user, user_agent")
    for field in ("user", "source.ip", "source.user_agent"):
        expect(page.locator(f'[data-field="{field}"]')).to_have_text("removed")


def test_a_proof_without_a_leaf_is_never_green(server: Server, page: Page) -> None:
    event = new_event(server)

    def meddle(route: Route) -> None:
        body = re.sub(r"(&quot;leaf&quot;: ).*", r"\1null,", route.fetch().text())
        route.fulfill(body=body, content_type="text/html")

    page.route("**/console/events/*/", meddle)
    page.goto(f"/console/events/{event}/")
    expect(page.locator("[data-verdict]")).to_have_attribute("data-state", "unable")
    expect(page.locator('[data-step="told"]')).to_have_attribute("data-state", "none")
    expect(page.locator('[data-step="path"]')).to_have_attribute("data-state", "pass")


@pytest.mark.parametrize(
    ("part", "other", "failed"),
    [
        (r"wrong_password", "unknown_account", {"shown", "leaf", "path"}),
        (r"&quot;index&quot;: ", "&quot;index&quot;: 1", {"path"}),
        (r"&quot;salt&quot;: &quot;", "&quot;salt&quot;: &quot;AAAA", {"openings"}),
        (r"\u2014 ", r"\u2014 x", {"signature"}),
    ],
)
def test_an_altered_proof_turns_red(
    server: Server, page: Page, part: str, other: str, failed: set[str]
) -> None:
    event = new_event(server)

    def meddle(route: Route) -> None:
        body = route.fetch().text()
        head, pre, proof = body.partition('<pre id="proof"')
        route.fulfill(body=head + pre + proof.replace(part, other), content_type="text/html")

    page.route("**/console/events/*/", meddle)
    assert failed <= failed_steps(page, event)
