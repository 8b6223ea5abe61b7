"""Stopping, reloading, going back and changing the language in the middle of a form."""

from collections.abc import Callable

from playwright.sync_api import Page, Request, expect

from tests.client import Person
from tests.pages.doing import GO

STOP = "document.forms[0].addEventListener('submit', () => setTimeout(() => stop(), 5))"


def test_who_stops_a_slow_answer_may_press_again(page: Page) -> None:
    page.goto("/sign-in/")
    page.fill("#id_email", "nobody@example.org")
    page.fill("#id_password", "wrong horse battery")
    page.evaluate(STOP)
    page.click(GO, no_wait_after=True)
    page.wait_for_timeout(500)
    assert page.evaluate("document.forms[0].ariaBusy") is None


def test_another_language_keeps_what_the_mailed_link_brought(page: Page) -> None:
    page.goto("/reset/#token=from-a-mail")
    page.click(".languages button[value=de]")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#id_token")).to_have_value("from-a-mail")
    assert "from-a-mail" not in page.url


def test_no_password_is_sent_again_by_going_back(signed_in: Callable[..., tuple[Page, Person]]) -> None:
    page, person = signed_in()
    page.goto("/password/")
    page.fill("#id_current_password", person.password)
    page.fill("#id_new_password", "password")
    page.click(GO)
    expect(page.locator(".fault")).to_be_visible()
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.go_back()
    page.go_back()
    page.wait_for_url("**/sign-in/?next=%2Fpassword%2F")
    assert not [one for one in sent if one.method == "POST"]
