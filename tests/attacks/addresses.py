"""A change of address, step by step."""

from tests.attacks.mails import wait_for_link
from tests.client import Client, Person, code_of, expect


def ask(client: Client, person: Person, new: str, password: str = "") -> str:
    """Ask for a change: `accepted`, or the problem's code."""
    body = {"current_password": password or person.password, "new_email": new}
    answer = client.post("email/change/", body, person.access)
    return str(answer.json()["status"]) if answer.is_success else code_of(answer)


def confirm(client: Client, token: str) -> str:
    """Follow a link: `waiting`, `changed`, or the problem's code."""
    answer = client.post("email/change/confirm/", {"token": token})
    return str(answer.json()["status"]) if answer.is_success else code_of(answer)


def begin(client: Client, person: Person, new: str) -> tuple[str, str]:
    """Ask for a change; the tokens that came to the old and to the new mailbox."""
    assert ask(client, person, new) == "accepted"
    return wait_for_link(client, person, "address"), wait_for_link(client, Person(new), "address")


def address_of(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["email"])
