"""A thief keeps the owner's refresh token from being judged.

Attacker: holds a copy of a refresh token. Move: refreshes as often as the session may, again and again, so that the
owner's token, reused by now, is refused by the rate. Refusal: what is reused takes no place in the rate: the session
ends, and its event tells why. Nothing else gets past the rate.
"""

from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect
from tests.server import Server

ALLOWED = 60
KEYS = [letter * 22 for letter in "ab"]


def use_up(client: Client, person: Person, count: int) -> str:
    """The newest refresh token after so many refreshes more."""
    newest = person.refresh
    for _ in range(count):
        newest = expect(client.refresh(newest), 200)["refresh"]
    return newest


def test_reuse_ends_a_session_whose_rate_is_used_up(server: Server, client: Client) -> None:
    person = client.sign_up()
    newest = use_up(client, person, ALLOWED)
    assert code_of(client.refresh(newest)) == "rate_limited"
    answer = client.refresh(person.refresh)
    assert code_of(answer) == "invalid_token"
    assert answer.headers["RateLimit-Policy"].startswith('"requests"')
    assert code_of(client.me(person.access)) == "invalid_token"
    (reuse,) = events(server, type="token.reuse", session=person.session_id)
    assert reuse.severity == "high"


def test_nothing_else_gets_past_the_rate(client: Client) -> None:
    person = client.sign_up()
    oldest, person.refresh = (
        person.refresh,
        expect(client.refresh(person.refresh, key=KEYS[0]), 200)["refresh"],
    )
    before = use_up(client, person, ALLOWED - 2)
    newest = expect(client.refresh(before, key=KEYS[1]), 200)["refresh"]
    presented = [(newest, ""), (before, KEYS[1]), (oldest, KEYS[0]), (oldest, "short")]
    assert {code_of(client.refresh(token, key=key)) for token, key in presented} == {"rate_limited"}
    expect(client.me(person.access), 200)
