"""What a page shows once comes back from a browser as it went, whatever its length."""

from tests.client import Person
from tests.conftest import new_address
from tests.server import Server
from tests.visitor import Visitor


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
