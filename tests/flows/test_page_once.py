"""What a page shows once comes back from a browser as it went, whatever its length."""

import re
from collections.abc import Callable

from tests.client import Client, Person
from tests.conftest import new_address
from tests.server import Server
from tests.visitor import Visitor

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
