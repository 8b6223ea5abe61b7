"""A stranger locks an account on purpose, to keep its owner out.

Attacker: knows an address, or stole a device token. Move: wrong passwords until the lock. Refusal: the lock holds for
the attacker's source only; the owner's source and known devices stay open. A device token is a lane, not a door: five
wrong passwords in it forget the device, and another account's token opens no lane.
"""

from collections.abc import Callable

from tests.attacks.barrage import barrage, guess, tally
from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address, scaled
from tests.server import Server

GUESSES = scaled(100, 1000)


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


def test_device_that_its_owner_forgot_has_no_lane(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    kept, lost = remember(owner, person), remember(owner, person)
    listed = {row["id"] for row in expect(owner.get("devices/", person.access), 200)["results"]}
    assert listed == {token.partition(".")[0] for token in (kept, lost)}
    expect(owner.delete(f"devices/{lost.partition('.')[0]}/", person.access), 204)
    lock(owner, person)
    assert code_of(owner.login(person, headers={"X-Device-Token": lost})) == "temporarily_locked"
    expect(owner.login(person, headers={"X-Device-Token": kept}), 200)


def test_token_of_a_known_device_has_five_guesses_at_once(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    """What is refused in the device's lane after that has the five of any stranger at its source."""
    owner = visit(fleet)
    person = owner.sign_up()
    device, thief = remember(owner, person), new_address()
    shots = [guess(fleet, person.email, f"wrong {n}", address=thief, device=device) for n in range(GUESSES)]
    seen = tally(barrage(fleet, shots))
    assert 5 <= seen["invalid_credentials"] <= 10
    assert set(seen) <= {"invalid_credentials", "temporarily_locked", "rate_limited"}, seen
    late = visit(fleet, thief)
    while code_of(late.login(person, "wrong", headers={"X-Device-Token": device})) == "invalid_credentials":
        seen["invalid_credentials"] += 1
    assert seen["invalid_credentials"] == 10
    locks = [event.details["limit"] for event in events(fleet, type="account.lock", ip=thief)]
    assert sorted(locks) == ["password_account_source", "password_device"]
    assert len(events(fleet, type="device.forget", ip=thief, reason="too_many_failures")) == 1
    expect(owner.login(person, headers={}), 200)


def test_device_token_skips_no_step(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    device = remember(owner, person)
    answer = expect(owner.login(person, headers={"X-Device-Token": device}), 200)
    assert answer["next"] == "verify"
    assert "access" not in answer
    assert code_of(owner.me(device)) == "invalid_token"
