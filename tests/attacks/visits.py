"""Browsers of the attacks: visitors of a service, each at an address of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.client import Person
from tests.conftest import new_address
from tests.server import Server
from tests.visitor import Visitor


@contextmanager
def visiting(server: Server, person: Person | None = None) -> Iterator[Visitor]:
    """A visitor; signed in with a recovery code, as somebody who has an account."""
    visitor = Visitor(server, new_address())
    if person:
        visitor.prove_password(person)
        visitor.open("/sign-in/code/?with=recovery_code")
        visitor.fill(code=person.recovery_codes.pop())
        assert visitor.is_signed_in
    yield visitor
    visitor.close()
