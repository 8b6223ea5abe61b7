"""What people do on the pages, in a browser."""

import io
import secrets

import pyotp
import zxingcpp
from PIL import Image
from playwright.sync_api import Page

from tests.authenticator import Authenticator, Mailbox
from tests.client import PASSWORD, Person
from tests.server import Server

GO = "main form button.full"


def scan(page: Page) -> Authenticator:
    """An authenticator app that looks at the screen: it knows the picture, nothing else."""
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot(full_page=True))))
    uri = pyotp.parse_uri(found.text)
    assert uri.issuer == "Secure Auth"
    return Authenticator(uri.secret)


def register(page: Page, server: Server) -> tuple[Person, str]:
    """Sign up, and the token that was mailed."""
    person = Person(f"ana-{secrets.token_hex(4)}@example.org")
    page.goto("/")
    page.click("text=Create an account")
    page.fill("#id_email", person.email)
    page.fill("#id_password", PASSWORD)
    page.click(GO)
    page.wait_for_url("**/sign-up/sent/")
    return person, Mailbox(server.data_dir / "outbox", person.email).wait_for_token()


def enrol(page: Page, person: Person) -> None:
    """From the page that asks for a name to the recovery codes, which are kept."""
    page.fill("#id_name", "My phone")
    page.click(GO)
    page.wait_for_url("**/enrol/app/*")
    person.authenticator = scan(page)
    page.fill("#id_code", person.code())
    page.click(GO)
    page.wait_for_url("**/recovery-codes/*")
    person.recovery_codes = [text.strip() for text in page.locator(".codes li").all_inner_texts()]


def prove_password(page: Page, person: Person) -> None:
    page.goto("/sign-in/")
    page.fill("#id_email", person.email)
    page.fill("#id_password", person.password)
    page.click(GO)


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()
