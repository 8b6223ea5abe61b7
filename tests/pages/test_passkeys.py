"""Passkeys in a real browser, by its virtual authenticator: bound, shown in the second step, shown again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.client import Person
from tests.pages.doing import GO, heading, prove_password
from tests.pages.keys import Key, bind
from tests.server import Server

SignedIn = Callable[..., tuple[Page, Person]]
NewContext = Callable[..., BrowserContext]
STALE = "UPDATE secure_auth_session SET auth_time = '2026-01-01 00:00:00'"
BY_CODE = "UPDATE secure_auth_session SET amr = 'pwd otp mfa'"


@pytest.fixture
def owner(signed_in: SignedIn) -> tuple[Page, Person, Key]:
    """Somebody signed in, with a passkey."""
    page, person = signed_in()
    key = Key(page)
    bind(page)
    return page, person, key


def test_a_passkey_is_bound_and_signs_in_and_proves_again(
    owner: tuple[Page, Person, Key], server: Server
) -> None:
    page, person, key = owner
    assert len(key.held()) == 1
    row = page.locator("li", has_text="My laptop")
    expect(row.locator(".tag")).to_have_text("Passkey")
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in/")
    prove_password(page, person)
    page.wait_for_url("**/sign-in/code/")
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")
    ((amr,),) = server.rows("SELECT amr FROM secure_auth_session ORDER BY created_at DESC LIMIT 1")
    assert {"pwd", "phr"} <= set(amr.split())
    server.rows(STALE)
    page.click("text=Add an app")
    page.wait_for_url("**/reauthenticate/*")
    page.click(GO)
    page.wait_for_url("**/enrol/")
    assert heading(page) == "Set up an authenticator app"


def test_a_passkey_asked_for_after_another_tab_signed_in_leads_on(owner: tuple[Page, Person, Key]) -> None:
    page, person, _ = owner
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in/")
    prove_password(page, person)
    page.wait_for_url("**/sign-in/code/")
    left_behind = page.context.new_page()
    Key(left_behind)
    left_behind.goto("/sign-in/code/")
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")
    left_behind.click(GO)
    expect(left_behind.get_by_role("heading", level=1)).to_have_text("My security")


def test_a_passkey_is_named_anew_and_removed(owner: tuple[Page, Person, Key]) -> None:
    page, _, _ = owner
    page.get_by_role("link", name="Rename: My laptop").click()
    page.wait_for_url("**/rename/")
    page.fill("#id_name", "The old one")
    page.click(GO)
    expect(page.get_by_role("status")).to_have_text("The name is changed.")
    page.get_by_role("link", name="Remove: The old one").click()
    page.click(GO)
    expect(page.get_by_role("status")).to_have_text("The authenticator is removed.")
    expect(page.locator("text=The old one")).to_have_count(0)


def test_factors_are_changed_after_a_passkey_though_a_code_was_fresh(
    owner: tuple[Page, Person, Key], server: Server
) -> None:
    page, _, _ = owner
    server.rows(BY_CODE)
    page.goto("/")
    page.click("text=Add an app")
    page.wait_for_url("**/reauthenticate/highest/*")
    expect(page.locator("text=Use the authenticator app")).to_have_count(0)
    page.click(GO)
    page.wait_for_url("**/enrol/")


def test_the_same_authenticator_is_not_bound_twice(owner: tuple[Page, Person, Key]) -> None:
    page, _, key = owner
    page.goto("/passkeys/new/")
    page.click(GO)
    expect(page.locator("[data-said]")).to_have_text("This one is set up already.")
    assert len(key.held()) == 1


def test_without_the_key_the_other_ways_remain(
    owner: tuple[Page, Person, Key], new_context: NewContext
) -> None:
    _, person, _ = owner
    page = new_context(java_script_enabled=False).new_page()
    prove_password(page, person)
    page.wait_for_url("**/sign-in/code/")
    expect(page.locator("form[data-passkey]")).to_be_hidden()
    page.click("text=Use a recovery code")
    page.fill("#id_code", person.recovery_codes.pop())
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")
    page.goto("/recovery-codes/new/")  # a recovery code is the way out of a lost key
    assert heading(page) == "New recovery codes"


def test_a_cancelled_ceremony_says_so_and_may_be_tried_again(owner: tuple[Page, Person, Key]) -> None:
    page, _, key = owner
    page.goto("/reauthenticate/")
    verified = {"authenticatorId": key.id, "isUserVerified": False}
    key.tools.send("WebAuthn.setUserVerified", verified)
    page.route("**/reauthenticate/passkey/", lambda route: route.abort())
    page.click(GO)
    expect(page.get_by_role("alert")).to_have_text(
        "That did not work. Load the page again, then try once more."
    )
    page.unroute("**/reauthenticate/passkey/")
    key.tools.send("WebAuthn.setUserVerified", {**verified, "isUserVerified": True})
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")


@pytest.mark.parametrize("missing", ["parseRequestOptionsFromJSON", "parseCreationOptionsFromJSON", "toJSON"])
def test_browsers_that_do_not_read_json_themselves(signed_in: SignedIn, missing: str) -> None:
    page, _ = signed_in()
    where = "PublicKeyCredential.prototype" if missing == "toJSON" else "PublicKeyCredential"
    page.add_init_script(f"delete {where}.{missing}")
    Key(page)
    bind(page)
    page.goto("/reauthenticate/")
    page.click(GO)
    expect(page.get_by_role("heading", level=1)).to_have_text("My security")
