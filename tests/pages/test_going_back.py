"""Stopping, reloading, going back and changing the language in the middle of a form."""

from playwright.sync_api import Page

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
