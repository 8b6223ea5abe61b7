"""What a page shows once comes back from a browser as it went, whatever its length."""

import re
from collections.abc import Callable

from tests.authenticator import Authenticator
from tests.client import Client, Person, new_email
from tests.conftest import new_address
from tests.server import Server
from tests.visitor import Page, Visitor

CODE = re.compile(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}")


def test_a_secret_of_any_length_is_shown(server: Server) -> None:
    for length in range(3):
        person = Person(f"x{'a' * length}-{new_address().replace('.', '-')}@example.org")
        server.create_user(person.email, person.password)
        visitor = Visitor(server, new_address())
        visitor.prove_password(person)
        visitor.enrol(person)
        assert '"' not in visitor.cookies.get("__Host-once", "")
        assert visitor.is_signed_in
        visitor.close()


def test_codes_are_shown_to_the_session_that_asked_for_them_alone(
    client: Client, new_visitor: Callable[..., Visitor]
) -> None:
    owner, other = new_visitor(), new_visitor()
    for visitor in (owner, other):
        visitor.sign_in(client.create_person())
        form = visitor.open("/recovery-codes/new/").form("form_token")
        made = visitor.ask("POST", "/recovery-codes/new/", data={"form_token": form.values["form_token"]})
        assert made.status == 303
    path, copied = made.headers["Location"], owner.cookies["__Host-once"]
    own = other.cookies["__Host-once"]
    assert CODE.search(owner.ask("GET", path).text)
    other.cookies["__Host-once"] = copied
    assert not CODE.search(other.open(path).text)
    other.cookies["__Host-once"] = own
    assert CODE.search(other.ask("GET", path).text)


def test_codes_that_another_tab_replaced_are_not_called_saved(
    client: Client, new_visitor: Callable[..., Visitor]
) -> None:
    visitor = new_visitor()
    visitor.sign_in(client.create_person())
    visitor.open("/recovery-codes/new/")
    first = visitor.press("")
    visitor.open("/recovery-codes/new/")
    newest = CODE.findall(visitor.press("").text)
    visitor.page = first
    page = visitor.press("")
    assert "no longer work" in page.text
    assert CODE.findall(page.text) == newest
    page = visitor.press("")
    assert (page.path, "Keep your recovery codes" in page.text) == ("/", True)
    visitor.page = first
    assert "no longer work" in visitor.press("").text


def test_codes_that_were_replaced_elsewhere_are_shown_no_more(
    client: Client, new_visitor: Callable[..., Visitor]
) -> None:
    visitor, person = new_visitor(), client.create_person()
    visitor.sign_in(person)
    visitor.open("/recovery-codes/new/")
    assert CODE.search(visitor.press("").text)
    assert client.post("mfa/recovery-codes/", None, person.access).status_code == 200
    page = visitor.open("/recovery-codes/")
    assert (page.path, "no longer work" in page.text, CODE.search(page.text)) == ("/", True, None)


def test_an_enrolment_that_another_tab_began_anew_is_told_and_costs_no_attempt(
    server: Server, new_visitor: Callable[..., Visitor]
) -> None:
    person, visitor = Person(new_email()), new_visitor()
    server.create_user(person.email, person.password)
    visitor.prove_password(person)
    first = visitor.fill(name="")
    visitor.open("/enrol/")
    second = visitor.fill(name="")
    for _ in range(12):  # as many wrong codes would lock
        visitor.page = first
        page = visitor.fill(code=Authenticator(key_on(first)).code())
        assert (page.status, key_on(page)) == (200, key_on(second))
        assert "in another tab" in page.text
    page = visitor.fill(code=Authenticator(key_on(second)).code())
    assert page.path == "/recovery-codes/"


def key_on(page: Page) -> str:
    return "".join(page.reader.by_id["key"].split())
