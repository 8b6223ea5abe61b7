"""The whole way of a person with only a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.client import PASSWORD, Person
from tests.pages.doing import GO, enrol, heading, prove_password, register
from tests.server import Server

NewContext = Callable[..., BrowserContext]
SignedIn = Callable[..., tuple[Page, Person]]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_sign_up_enrol_and_sign_in(new_context: NewContext, server: Server, scripts: bool) -> None:
    context = new_context(java_script_enabled=scripts)
    page = context.new_page()
    person, token = register(page, server)
    if scripts:
        page.goto(f"/confirm/#token={token}")
        expect(page.locator("#id_token")).to_be_hidden()
        assert "token" not in page.url  # gone from the address bar, and so from history
    else:
        page.goto("/confirm/")
        page.fill("#id_token", token)
    page.fill("#id_password", PASSWORD)
    page.click(GO)
    page.wait_for_url("**/enrol/")
    enrol(page, person)
    assert len(set(person.recovery_codes)) == 10
    page.reload()  # shown again, not sent again
    assert page.locator(".codes li").first.inner_text().strip() == person.recovery_codes[0]
    page.click(GO)
    assert heading(page) == "My security"
    expect(page.locator(".tag.ok")).to_have_text("This device")
    page.goto("/recovery-codes/")
    assert heading(page) == "My security"  # never again
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in/")
    prove_password(page, person)
    page.wait_for_url("**/sign-in/code/")
    page.fill("#id_code", person.code())
    page.check("#id_remember_device")
    page.click(GO)
    page.wait_for_url("**/")
    assert {"__Host-web", "__Host-device"} <= {cookie["name"] for cookie in page.context.cookies()}
    assert page.locator("text=None. Tick").count() == 0  # the device is listed


def test_a_recovery_code_opens_the_second_step_once(signed_in: SignedIn, new_context: NewContext) -> None:
    _, person = signed_in()
    code = person.recovery_codes.pop()
    for spent in (False, True):
        page = new_context().new_page()
        prove_password(page, person)
        page.click("text=Use a recovery code")
        page.fill("#id_code", code.lower().replace("-", " "))
        page.click(GO)
        if spent:
            expect(page.get_by_role("alert")).to_contain_text(
                "This recovery code is wrong or was used before"
            )
        else:
            expect(page.get_by_role("heading", level=1)).to_have_text("My security")


def test_codes_are_copied_downloaded_and_printed(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/recovery-codes/new/")
    page.click(GO)
    page.wait_for_url("**/recovery-codes/")
    codes = [text.strip() for text in page.locator(".codes li").all_inner_texts()]
    page.click("text=Copy")
    said = page.locator("[data-said]")
    expect(said).to_have_text("Copied.")
    assert said.evaluate("it => it.getBoundingClientRect().width") > 1  # for eyes too
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
    page.click("text=Copy")
    expect(said).to_contain_text("does not let the page copy")
    sheet = page.get_by_text(f"Secure Auth: {person.email}")
    expect(sheet).to_be_hidden()
    assert page.evaluate("navigator.clipboard.readText()").split() == codes
    with page.expect_download() as download:
        page.click("text=Download")
    text = download.value.path().read_text()
    assert (person.email in text, text.split()[-10:]) == (True, codes)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".codes")).to_be_visible()
    expect(page.locator("text=Sign out")).to_be_hidden()
    expect(sheet).to_be_visible()
    shade = sheet.evaluate("it => getComputedStyle(it).color")
    assert shade == "rgb(23, 26, 33)"  # dark on paper, whatever the screen is like


def test_what_needs_a_fresh_factor_asks_for_it_and_goes_on(signed_in: SignedIn, server: Server) -> None:
    page, person = signed_in()
    server.rows("UPDATE secure_auth_session SET auth_time = '2026-01-01 00:00:00'")
    page.goto("/")
    page.click("text=Add an app")
    page.wait_for_url("**/reauthenticate/*")
    page.click("text=Use a recovery code")
    page.fill("#id_code", person.recovery_codes.pop())
    page.click(GO)
    page.wait_for_url("**/enrol/")
    assert heading(page) == "Set up an authenticator app"


def test_language_follows_the_browser_and_the_switch(new_context: NewContext) -> None:
    page = new_context(locale="de-AT").new_page()
    page.goto("/sign-in/")
    assert (heading(page), page.locator("html").get_attribute("lang")) == ("Anmelden", "de")
    page.click("footer >> text=English")
    assert heading(page) == "Sign in"
    page.reload()
    assert heading(page) == "Sign in"


def test_password_managers_and_code_autofill_find_their_fields(page: Page) -> None:
    page.goto("/sign-in/")
    assert page.locator("#id_email").get_attribute("autocomplete") == "username"
    assert page.locator("#id_password").get_attribute("autocomplete") == "current-password"
    page.goto("/sign-up/")
    assert page.locator("#id_password").get_attribute("autocomplete") == "new-password"
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Show: Password").click()
    assert page.locator("#id_password").get_attribute("type") == "text"
