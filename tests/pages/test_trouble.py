"""What a person sees when something is in the way: a word that helps, and nothing lost."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.client import PASSWORD, Client, Person
from tests.conftest import new_address
from tests.pages.conftest import enter
from tests.pages.doing import GO, heading, prove_password, register
from tests.server import Server

SignedIn = Callable[..., tuple[Page, Person]]
NewContext = Callable[..., BrowserContext]


def test_a_lockout_says_how_long(signed_in: SignedIn, new_context: NewContext) -> None:
    _, person = signed_in()
    page = new_context().new_page()
    thief = Person(person.email, "a wrong passphrase")
    for _ in range(5):
        prove_password(page, thief)
        expect(page.get_by_role("alert")).to_have_text("The address or the password is wrong.")
        assert page.input_value("#id_email") == person.email
        assert page.input_value("#id_password") == ""
    prove_password(page, person)
    expect(page.get_by_role("alert")).to_contain_text("There were too many failed attempts")
    expect(page.get_by_role("alert")).to_contain_text("Try again in 15 minutes.")


@pytest.mark.parametrize(
    ("path", "go_on"),
    [("/activity/", lambda page: page.reload()), ("/recovery-codes/new/", lambda page: page.click(GO))],
    ids=["page", "form"],
)
def test_a_session_ended_elsewhere_leads_to_sign_in_and_back(
    signed_in: SignedIn, new_context: NewContext, server: Server, path: str, go_on: Callable[[Page], object]
) -> None:
    page, person = signed_in()
    address = new_address()
    other = new_context(address=address)
    enter(other, server, person, address)
    page.goto(path)
    elsewhere = other.new_page()
    elsewhere.goto("/")
    elsewhere.click("text=End all others")
    expect(elsewhere.get_by_role("status")).to_have_text("All your other sessions are over.")
    go_on(page)
    expect(page.get_by_role("status")).to_have_text("Your session has ended. Sign in again to go on.")
    assert page.url.endswith(f"/sign-in/?next={quote(path, safe='')}")
    assert "__Host-web" not in {cookie["name"] for cookie in page.context.cookies()}


def test_a_form_of_a_session_that_ended_does_nothing(signed_in: SignedIn) -> None:
    page, _ = signed_in()
    page.goto("/recovery-codes/new/")
    tab = page.context.new_page()
    tab.goto("/")
    tab.click("text=Sign out")
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Your recovery codes")


def test_back_after_sign_out_shows_nothing(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.goto("/activity/")
    page.goto("/")
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in/")
    for _ in range(2):
        page.go_back()
        page.wait_for_load_state("load")
        expect(page.locator("body")).not_to_contain_text(person.email)


def test_a_second_click_is_harmless(signed_in: SignedIn, new_context: NewContext) -> None:
    _, person = signed_in()
    page = new_context().new_page()
    page.goto("/sign-in/")
    page.fill("#id_email", person.email)
    page.fill("#id_password", person.password)
    page.dblclick(GO)
    page.wait_for_url("**/sign-in/code/")
    page.click("text=Use a recovery code")
    page.fill("#id_code", person.recovery_codes.pop())
    page.dblclick(GO)
    page.wait_for_url("**/")
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")


def test_a_login_that_took_too_long_begins_again(
    signed_in: SignedIn, new_context: NewContext, server: Server
) -> None:
    _, person = signed_in()
    page = new_context().new_page()
    prove_password(page, person)
    page.wait_for_url("**/sign-in/code/")
    server.rows("UPDATE secure_auth_pendinglogin SET ended_at = created_at WHERE ended_at IS NULL")
    page.fill("#id_code", person.code())
    page.click(GO)
    expect(page.get_by_role("status")).to_contain_text("That sign-in is over.")
    assert heading(page) == "Sign in"


def test_an_address_that_is_none_is_a_page_for_people(page: Page) -> None:
    page.goto("/nowhere/")
    assert heading(page) == "That did not work"


def test_many_requests_are_told_as_a_page(new_context: NewContext, server: Server) -> None:
    page = new_context().new_page()
    for _ in range(6):
        page.goto("/forgot/")
        page.fill("#id_email", "nobody@example.org")
        page.click(GO)
    expect(page.get_by_role("alert")).to_contain_text(
        "Too many requests came from where you are. Try again in"
    )


def test_two_clicks_without_scripts_end_signed_in_or_say_so(new_context: NewContext, server: Server) -> None:
    client = Client(server, new_address())
    person = client.create_person()
    client.close()
    page = new_context(java_script_enabled=False).new_page()
    prove_password(page, person)
    page.click("text=Use a recovery code")
    page.fill("#id_code", person.recovery_codes.pop())
    page.dblclick(GO)
    shown = page.get_by_role("heading", name="My security").or_(
        page.get_by_role("link", name="See whether you are signed in")
    )
    expect(shown).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_mistyped_password_keeps_what_the_mailed_link_brought(
    new_context: NewContext, server: Server, scripts: bool
) -> None:
    page = new_context(java_script_enabled=scripts).new_page()
    _, token = register(page, server)
    page.goto(f"/confirm/#token={token}" if scripts else "/confirm/")
    if not scripts:
        page.fill("#id_token", token)
    page.fill("#id_password", "a mistyped passphrase")
    page.click(GO)
    expect(page.locator("#id_password_told")).to_have_text(
        "This is not the password that you chose when you signed up."
    )
    expect(page.locator("#id_password")).to_be_focused()
    expect(page.locator("#id_token")).to_be_visible(visible=not scripts)
    page.fill("#id_password", PASSWORD)
    page.click(GO)
    page.wait_for_url("**/enrol/")


def test_the_field_that_is_wrong_says_so_and_has_the_focus(signed_in: SignedIn) -> None:
    page, person = signed_in()
    page.goto("/address/change/")
    for password, address, faulty in (
        ("a wrong passphrase", "new@example.org", "current_password"),
        (person.password, "no@address", "new_email"),
    ):
        page.fill("#id_new_email", address)
        page.fill("#id_current_password", password)
        page.click(GO)
        expect(page.locator("[aria-invalid]")).to_have_attribute("name", faulty)
        expect(page.locator(f"#id_{faulty}")).to_be_focused()
        expect(page.locator("#id_new_email")).to_have_value(address)
    page.goto("/password/")
    page.fill("#id_current_password", person.password)
    page.fill("#id_new_password", "password")
    page.click(GO)
    expect(page.locator("#id_new_password")).to_be_focused()


def test_a_dead_link_leaves_an_empty_field_for_another(page: Page) -> None:
    page.goto(f"/confirm/#token={'0' * 64}")
    page.fill("#id_password", PASSWORD)
    page.click(GO)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#id_token")).to_be_visible()
    expect(page.locator("#id_token")).to_have_value("")
    page.goto(f"/confirm/#token={'1' * 64}")  # the same document: only the fragment differs
    expect(page.locator("#id_token")).to_be_hidden()
    assert "token" not in page.url
