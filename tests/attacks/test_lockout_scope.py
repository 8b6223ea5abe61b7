"""A stranger locks an account on purpose, to keep its owner out.

Attacker: knows an address, or stole a device token. Move: wrong passwords until the lock. Refusal: the lock holds for
the attacker's source only; the owner's source and known devices stay open. A device token is a lane, not a door: five
wrong passwords in it forget the device, and another account's token opens no lane.
"""

from collections.abc import Callable

from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect
from tests.server import Server


def lock(attacker: Client, victim: Person) -> None:
    for _ in range(5):
        attacker.login(victim, "wrong", headers={})
    assert code_of(attacker.login(victim, headers={})) == "temporarily_locked"


def remember(client: Client, person: Person) -> str:
    """Sign in with a recovery code and have the device remembered."""
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes.pop()
    pair = expect(client.verify(partial, code, "recovery_code", remember_device=True), 200)
    return str(pair["device_token"])


def test_lock_from_one_source_leaves_other_sources_open(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    lock(new_client(), person)
    expect(owner.login(person), 200)
    expect(new_client().login(person), 200)


def test_lock_leaves_a_known_device_at_the_same_source_open(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    device = remember(owner, person)
    lock(owner, person)
    expect(owner.login(person, headers={"X-Device-Token": device}), 200)
    assert code_of(owner.login(person, headers={})) == "temporarily_locked"


def test_device_with_five_wrong_passwords_is_forgotten(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner = new_client()
    person = owner.sign_up()
    device = {"X-Device-Token": remember(owner, person)}
    for _ in range(5):
        assert code_of(owner.login(person, "wrong", headers=device)) == "invalid_credentials"
    assert [event.ip for event in events(server, type="device.forget", ip=owner.address)] == [owner.address]
    assert expect(owner.get("devices/", person.access), 200)["results"] == []
    lock(owner, person)
    assert code_of(owner.login(person, headers=device)) == "temporarily_locked"


def test_device_token_of_another_account_opens_no_lane(new_client: Callable[..., Client]) -> None:
    attacker, victim = new_client(), new_client().sign_up()
    own = remember(attacker, attacker.sign_up())
    lock(attacker, victim)
    assert code_of(attacker.login(victim, headers={"X-Device-Token": own})) == "temporarily_locked"
    altered = own[:-1] + ("0" if own[-1] != "0" else "1")
    assert code_of(attacker.login(victim, headers={"X-Device-Token": altered})) == "temporarily_locked"


def test_device_token_skips_no_step(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    device = remember(owner, person)
    answer = expect(owner.login(person, headers={"X-Device-Token": device}), 200)
    assert answer["next"] == "verify"
    assert "access" not in answer
    assert code_of(owner.me(device)) == "invalid_token"
