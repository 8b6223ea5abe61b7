"""A stranger in the same office, behind the same address, locks people out.

Attacker: shares the owner's source address. Move: five wrong passwords at the owner's account; then uses up the
source's spraying limit and its password steps; from elsewhere the hundred that close the account. Refusal: none of
these limits is in the lane of a known device: its owner signs in, with both steps, and that opens the account again.
"""

from collections.abc import Callable

from tests.attacks.evidence import events, spend_all_but_one
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.server import Server

SPRAYED = 20
STEPS = 30


def remembered(client: Client) -> Person:
    """Somebody whose device is known, for those who send its token."""
    person = client.sign_up()
    partial = expect(client.login(person, headers={}), 200)["partial_token"]
    code = person.recovery_codes.pop()
    person.keep(expect(client.verify(partial, code, "recovery_code", remember_device=True), 200))
    return person


def test_known_device_signs_in_where_its_source_has_nothing_left(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = remembered(new_client())
    attacker = new_client(owner.address)
    for _ in range(5):
        assert code_of(attacker.login(person, "wrong", headers={})) == "invalid_credentials"
    assert code_of(attacker.login(person, headers={})) == "temporarily_locked"
    others = [Person(new_email("nobody")) for _ in range(SPRAYED - 1)]
    for other in others:
        assert code_of(attacker.login(other)) == "invalid_credentials"
    sprayed = attacker.login(Person(new_email("nobody")))
    assert code_of(sprayed) == "rate_limited"
    assert '"password_source";r=0' not in sprayed.headers["RateLimit"], "it is the spraying that is refused"
    for other in others[: STEPS - SPRAYED - 4]:
        assert code_of(attacker.login(other)) == "invalid_credentials"
    spent = attacker.login(others[0])
    assert code_of(spent) == "rate_limited"
    assert '"password_source";r=0' in spent.headers["RateLimit"]

    assert code_of(owner.login(person, headers={})) in ("rate_limited", "temporarily_locked")
    answer = expect(owner.login(person), 200)
    assert (answer["next"], "access" in answer) == ("verify", False)
    assert code_of(owner.me(person.device_token)) == "invalid_token"
    expect(owner.verify(answer["partial_token"], person.code()), 200)


def test_at_the_cap_a_known_device_signs_in_and_opens_the_account(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner = new_client()
    person = remembered(owner)
    attacker = new_client()
    assert code_of(attacker.login(person, "wrong", headers={})) == "invalid_credentials"
    spend_all_but_one(server, "password_account", seen_from=attacker.address, allowed=100)
    assert code_of(new_client().login(person, "wrong", headers={})) == "invalid_credentials"
    locks = [event.details["limit"] for event in events(server, type="account.lock")]
    assert locks[-1] == "password_account"

    for source in (owner, new_client()):
        assert code_of(source.login(person, headers={})) == "temporarily_locked"
    partial = expect(new_client().login(person), 200)["partial_token"]
    assert code_of(new_client().login(person, headers={})) == "temporarily_locked", "one step opens nothing"
    expect(owner.verify(partial, person.code()), 200)
    expect(new_client(new_address()).login(person, headers={}), 200)
