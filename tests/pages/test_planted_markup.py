"""Foreign text on a page is text: user agents, names, addresses and paths that hold markup run nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.client import Client, Person
from tests.conftest import new_address
from tests.pages.conftest import enter
from tests.server import Server

PLANTED = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>\"'>"
NewContext = Callable[..., BrowserContext]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_markup_in_names_and_user_agents_is_shown_as_text(
    new_context: NewContext, server: Server, scripts: bool
) -> None:
    address = new_address()
    client = Client(server, address)
    client.http.headers["User-Agent"] = f"Mozilla/5.0 {PLANTED}"
    person = client.create_person()
    begun = client.post("mfa/totp/", {"name": PLANTED[:64]}, person.access).json()
    second = Person(person.email)
    second.authenticator = type(person.authenticator)(begun["secret"])  # type: ignore[misc]
    client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": second.code()}, person.access)
    client.close()
    context = new_context(address=address, java_script_enabled=scripts)
    enter(context, server, person, address)
    page = context.new_page()
    for path in ("/", "/activity/", f"/authenticators/{begun['id']}/remove/"):
        page.goto(path)
        assert "owned" not in page.title()
        assert page.locator("main img, main script").count() == 0
    expect(page.locator("main strong")).to_have_text(PLANTED[:64])


def test_markup_in_what_was_typed_comes_back_as_text(page: Page) -> None:
    page.goto("/sign-in/")
    page.evaluate("document.querySelector('#id_email').type = 'text'")
    page.fill("#id_email", PLANTED)
    page.fill("#id_password", "x")
    page.click("main form button.full")
    page.wait_for_load_state("load")
    assert page.input_value("#id_email") == PLANTED
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_markup_in_an_address_comes_back_as_text(page: Page) -> None:
    page.goto(f"/sign-in/?next=/{PLANTED}")
    page.goto(f"/problems/{PLANTED}/")
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0
