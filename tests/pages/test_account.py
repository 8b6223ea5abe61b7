"""The account itself on its pages, in a real browser: strength while typing, a change that is due, data, the end."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.authenticator import Mailbox
from tests.client import PASSWORD, Person
from tests.pages.doing import GO, enrol, heading, prove_password
from tests.server import Server

SignedIn = Callable[..., tuple[Page, Person]]
NewContext = Callable[..., BrowserContext]


def test_a_browser_takes_every_address_that_the_service_takes(page: Page, server: Server) -> None:
    person = Person(f"jörg-{secrets.token_hex(4)}@bücher.example")
    page.goto("/sign-up/")
    page.fill("#id_email", person.email)
    page.fill("#id_password", person.password)
    page.click(GO)
    page.wait_for_url("**/sign-up/sent/")
    page.goto(f"/confirm/#token={Mailbox(server.data_dir / 'outbox', person.email).wait_for_token()}")
    page.fill("#id_password", person.password)
    page.click(GO)
    enrol(page, person)
    page.context.clear_cookies()
    prove_password(page, person)
    page.fill("#id_code", person.code())
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")


@pytest.mark.parametrize("path", ["/sign-in/", "/sign-up/", "/forgot/"])
def test_what_is_left_out_or_is_no_address_is_told_at_its_field(page: Page, path: str) -> None:
    page.goto(path)
    page.click(GO)
    expect(page.locator("#id_email_told")).to_have_text("Please fill this in.")
    expect(page.locator("#id_email")).to_be_focused()
    if path != "/sign-in/":  # there it is an address that nobody has
        page.fill("#id_email", "ada.example.org")
        if path == "/sign-up/":
            page.fill("#id_password", PASSWORD)
        page.click(GO)
        expect(page.locator("#id_email_told")).to_contain_text("This is no e-mail address")


def test_strength_is_told_while_typing(page: Page) -> None:
    page.goto("/sign-up/")
    words = page.locator("[data-words]")
    expect(words).to_be_hidden()
    page.fill("#id_email", "ada@example.org")
    page.fill("#id_password", "short")
    expect(words).to_contain_text("Still too short.")
    page.fill("#id_password", "ada@example.org")
    expect(words).to_contain_text("Attackers try this one first.")
    page.fill("#id_password", "quite another phrase 77 for it")
    expect(words).to_have_text("Strong.")
    assert page.locator("meter").evaluate("one => one.value") == 4
    page.fill("#id_password", "")
    expect(words).to_be_hidden()


def test_a_german_page_advises_in_german(new_context: NewContext) -> None:
    page = new_context(locale="de-AT").new_page()
    page.goto("/sign-up/")
    words = page.locator("[data-words]")
    page.fill("#id_password", "qwertyuiop")
    expect(words).to_contain_text("häufigsten Passwörter")
    expect(words).to_contain_text("Fügen Sie ein oder zwei Wörter hinzu. Seltene Wörter sind besser.")
    page.fill("#id_password", "quite another phrase 77 for it")
    expect(words).to_have_text("Stark.")


def test_advice_on_a_refused_password_gives_way_to_the_estimate(new_context: NewContext) -> None:
    page = new_context(locale="de-AT").new_page()
    page.goto("/sign-up/")
    page.fill("#id_email", "ada@example.org")
    page.fill("#id_password", "password")
    page.click(GO)
    words, meter = page.locator("[data-words]"), page.locator("meter")
    expect(words).to_contain_text("eines der zehn häufigsten Passwörter")
    expect(meter).to_be_hidden()
    page.fill("#id_password", "quite another phrase 77 for it")
    expect(words).to_have_text("Stark.")
    expect(meter).to_be_visible()


def test_a_change_that_is_due_comes_first(signed_in: SignedIn, server: Server) -> None:
    page, person = signed_in()
    server.manage("require_password_change", person.email)
    page.goto("/activity/")
    assert heading(page) == "Change your password"
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.locator(".hint")).to_have_text("Your password must be changed before you go on.")
    page.fill("#id_current_password", person.password)
    page.fill("#id_new_password", person.password)
    page.click(GO)
    expect(page.locator("#id_new_password_told")).to_contain_text("This is the present one.")
    page.fill("#id_current_password", person.password)
    page.fill("#id_new_password", "quite another phrase 77")
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")


def test_few_recovery_codes_are_told(signed_in: SignedIn, new_context: NewContext) -> None:
    page, person = signed_in()
    while len(person.recovery_codes) > 4:
        page.goto("/reauthenticate/?with=recovery_code")
        page.fill("#id_code", person.recovery_codes.pop())
        page.click(GO)
        page.wait_for_url("**/")
    expect(page.locator(".hint")).to_have_count(0)
    fresh = new_context().new_page()
    prove_password(fresh, person)
    fresh.click("text=Use a recovery code")
    fresh.fill("#id_code", person.recovery_codes.pop())
    fresh.click(GO)
    expect(fresh.get_by_role("status")).to_contain_text("You have few recovery codes left")
    expect(fresh.locator(".hint")).to_contain_text("3 recovery codes are left.")


def test_a_copy_of_the_data_is_a_file(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.goto("/")
    page.click("a[href='/account/data/']")
    with page.expect_download() as download:
        page.click(GO)
    assert download.value.suggested_filename == "my-data.json"
    assert person.email in Path(download.value.path()).read_text()
    # The page stays open: no second click, but later its button asks again, and so soon is told to wait.
    expect(page.locator("main form[aria-busy]")).to_have_count(0)
    page.click(GO)
    expect(page.get_by_text("Too many requests")).to_be_visible()


def test_another_address_is_asked_for(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.goto("/")
    page.get_by_role("link", name="Change: E-mail address").click()
    page.fill("#id_new_email", f"new-{person.email}")
    page.fill("#id_current_password", person.password)
    page.click(GO)
    expect(page.get_by_role("status")).to_contain_text("We mailed a link to your old address")


def test_an_account_is_deleted_for_good(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.goto("/")
    page.click("a[href='/account/delete/']")
    page.fill("#id_email", "somebody@example.org")
    page.fill("#id_current_password", person.password)
    page.click(GO)
    expect(page.locator("#id_email_told")).to_contain_text("This is not the address of your account.")
    page.fill("#id_email", person.email)
    page.fill("#id_current_password", person.password)
    page.click(GO)
    expect(page.get_by_role("status")).to_contain_text("Your account is deleted.")
    prove_password(page, person)
    expect(page.get_by_role("alert")).to_have_text("The address or the password is wrong.")


def test_a_mailed_link_to_enrol_asks_who_is_signed_in_to_sign_out(signed_in: SignedIn) -> None:
    page, _ = signed_in()
    page.goto("/enrol/#token=of-another-account")
    expect(page.locator("h1")).to_have_text("Sign out first")
    page.goto("/enrol/")
    expect(page.locator("h1")).not_to_have_text("Sign out first")
