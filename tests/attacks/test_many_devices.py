"""Somebody collects known devices to have a lane of the limits for each.

Attacker: has an account, remembers a new device at each login, and signs in from all of them at once. Move: more
password steps a minute from one source than a source has, each of which is a hash. Refusal: the devices of an account
share thirty a minute, whatever nodes they ask, and beyond these count for the source like anybody; so nobody who spends
them keeps the owner from another device. An account has twenty at most: one more takes the place of the one that was
remembered longest ago.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import claims, events
from tests.attacks.volley import codes, statuses, stream
from tests.client import Client, Person, code_of, expect
from tests.server import Server

MOST_DEVICES = 20
SPENT = 5  # of its source's thirty, by the logins that remembered the devices
UNHINDERED = 4  # five checks at the same moment, then others have to wait


def remember(client: Client, person: Person) -> str:
    """Another device of this person; its token."""
    person.device_token = ""
    client.recover(person, remember_device=True)
    return person.device_token


def test_devices_of_an_account_share_thirty_password_steps_a_minute_beside_the_sources(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    home = visit(fleet)
    person = home.sign_up()
    tokens = [remember(home, person) for _ in range(4)]
    flood = [visit(fleet, home.address, node=number % len(fleet.nodes)) for number in range(UNHINDERED)]
    answers = stream(
        (
            partial(flood[number % UNHINDERED].login, person, headers={"X-Device-Token": tokens[number % 4]})
            for number in range(70)
        ),
        at_once=UNHINDERED,
    )
    left = 30 - SPENT
    assert statuses(answers) == {200: 30 + left, 429: 40 - left}
    assert codes(answers) == {"rate_limited": 40 - left}
    elsewhere = visit(fleet)
    answer = elsewhere.login(person, headers={"X-Device-Token": tokens[0]})
    expect(answer, 200)
    assert answer.headers["RateLimit-Policy"].startswith(
        '"password_source"'
    )  # not what the devices have spent
    expect(elsewhere.login(person, headers={}), 200)


def test_twenty_first_device_takes_the_place_of_the_one_remembered_longest_ago(
    server: Server, new_client: Callable[..., Client]
) -> None:
    person = new_client().sign_up()
    tokens: list[str] = []
    while len(tokens) < MOST_DEVICES:
        if not person.recovery_codes:
            fresh = new_client().post("mfa/recovery-codes/", None, person.access)
            person.recovery_codes = expect(fresh, 200)["recovery_codes"]
        tokens.append(remember(new_client(), person))
    client = new_client()
    fresh = expect(client.post("mfa/recovery-codes/", None, person.access), 200)
    person.recovery_codes = fresh["recovery_codes"]
    person.device_token = tokens[0]
    client.recover(person, remember_device=True)
    tokens[0] = person.device_token
    assert len(expect(client.get("devices/", person.access), 200)["results"]) == MOST_DEVICES

    tokens.append(remember(client, person))
    known = {row["id"] for row in expect(client.get("devices/", person.access), 200)["results"]}
    lost = tokens.pop(1)
    assert known == {token.partition(".")[0] for token in tokens}
    user = claims(person.access)["sub"]
    (forgotten,) = events(server, type="device.forget", user=user)
    assert (forgotten.outcome, forgotten.reason) == ("success", "superseded")
    assert forgotten.details == {"device": lost.partition(".")[0]}
    stranger = new_client()
    for _ in range(5):
        expect(stranger.login(person, "wrong", headers={}), 401)
    assert code_of(stranger.login(person, headers={"X-Device-Token": lost})) == "temporarily_locked"
    expect(stranger.login(person, headers={"X-Device-Token": tokens[0]}), 200)
