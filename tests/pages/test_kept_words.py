"""What an auditor typed into the console waits while the second factor is proved again: by a passkey, and by a code."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.client import Client, Person
from tests.client import expect as answered
from tests.conftest import new_address
from tests.detecting import wait_for_detection
from tests.pages.conftest import enter
from tests.pages.doing import GO
from tests.pages.keys import Key, bind
from tests.server import Server

STALE = "UPDATE secure_auth_session SET auth_time = '2026-01-01 00:00:00'"
NOTE = 'A lost answer, "so they say".\nSee #4711 & <no more>.'

NewContext = Callable[..., BrowserContext]


@pytest.fixture
def detection(server: Server) -> dict[str, Any]:
    """A reused token, recognised."""
    client = Client(server, new_address())
    person, auditor = client.create_person(), client.create_person(role="auditor")
    stolen = person.refresh
    answered(client.refresh(stolen), 200)
    client.refresh(stolen)
    found = wait_for_detection(client, auditor, "refresh_reuse", session=person.session_id)
    client.close()
    return dict(found)


def test_a_note_waits_for_a_passkey(
    signed_in: Callable[..., tuple[Page, Person]], detection: dict[str, Any], server: Server
) -> None:
    page, _ = signed_in(role="auditor")
    key = Key(page)
    bind(page)
    page.goto(f"/console/detections/{detection['id']}/")
    page.fill("#note", NOTE)
    server.rows(STALE)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    expect(page.locator("blockquote")).to_have_text(NOTE)
    assert "4711" not in page.url
    page.click(GO)
    expect(page.get_by_role("status")).to_have_text("Your note is in the log.")
    expect(page.locator("blockquote")).to_have_text(NOTE)
    assert key.held()


def test_a_note_waits_for_a_code_without_scripts(
    new_context: NewContext, detection: dict[str, Any], server: Server
) -> None:
    address = new_address()
    client = Client(server, address)
    person = client.create_person(role="auditor")
    client.close()
    context = new_context(address=address, java_script_enabled=False, locale="de-DE")
    enter(context, server, person, address)
    page = context.new_page()
    page.goto(f"/console/detections/{detection['id']}/")
    page.fill("#note", NOTE)
    server.rows(STALE)
    page.locator("form[action$='/acknowledge/'] button").click()
    page.fill("#id_code", "000000")
    page.click(GO)
    expect(page.get_by_role("alert")).to_contain_text("Der Code")
    page.get_by_role("button", name="Wiederherstellungscode").click()
    page.fill("#id_code", person.recovery_codes.pop())
    page.click(GO)
    expect(page.locator("blockquote")).to_have_text(NOTE)
    assert page.url.endswith(f"/console/detections/{detection['id']}/")
