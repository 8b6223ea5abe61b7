"""A thief replays an old refresh token, or hides behind the forgiveness for lost answers.

Attacker: holds a refresh token that was used. Move: sends it again: without a key, with a key of their own, with a
short or an old key. Refusal: reuse ends the session; only the key that made the successor asks for it again, and yields
nothing once the successor was used; a short or repeated key rotates nothing.
"""

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect
from tests.server import Server

KEYS = [letter * 22 for letter in "abcdef"]


def is_over(client: Client, person: Person) -> bool:
    return client.me(person.access).status_code == 401


def test_reused_refresh_token_ends_its_session(server: Server, client: Client) -> None:
    person = client.sign_up()
    successor = expect(client.refresh(person.refresh), 200)
    assert code_of(client.refresh(person.refresh)) == "invalid_token"
    assert code_of(client.me(successor["access"])) == "invalid_token"
    assert code_of(client.refresh(successor["refresh"])) == "invalid_token"
    (reuse,) = events(server, type="token.reuse", session=person.session_id)
    assert reuse.severity == "high"
    (revoked,) = events(server, type="session.revoke", session=person.session_id)
    assert revoked.reason == "token_reuse"


def test_token_of_two_generations_ago_ends_the_session(client: Client) -> None:
    person = client.sign_up()
    second = expect(client.refresh(person.refresh), 200)
    expect(client.refresh(second["refresh"]), 200)
    assert code_of(client.refresh(person.refresh)) == "invalid_token"
    assert is_over(client, person)


def test_same_key_is_answered_with_the_same_successor(client: Client) -> None:
    person = client.sign_up()
    first = expect(client.refresh(person.refresh, key=KEYS[0]), 200)
    again = expect(client.refresh(person.refresh, key=KEYS[0]), 200)
    assert claims(first["refresh"]) == claims(again["refresh"])
    expect(client.refresh(again["refresh"], key=KEYS[1]), 200)


def test_another_key_or_none_is_reuse(client: Client) -> None:
    for key in (KEYS[1], ""):
        person = client.sign_up()
        expect(client.refresh(person.refresh, key=KEYS[0]), 200)
        assert code_of(client.refresh(person.refresh, key=key)) == "invalid_token"
        assert is_over(client, person)


def test_key_does_not_forgive_a_rotation_that_had_none(client: Client) -> None:
    person = client.sign_up()
    expect(client.refresh(person.refresh), 200)
    assert code_of(client.refresh(person.refresh, key=KEYS[0])) == "invalid_token"
    assert is_over(client, person)


def test_late_double_yields_nothing_and_ends_nothing(server: Server, client: Client) -> None:
    person = client.sign_up()
    second = expect(client.refresh(person.refresh, key=KEYS[0]), 200)
    third = expect(client.refresh(second["refresh"], key=KEYS[1]), 200)
    assert code_of(client.refresh(person.refresh, key=KEYS[0])) == "invalid_token"
    assert not is_over(client, person)
    (refused,) = events(server, type="token.refused", session=person.session_id)
    assert refused.reason == "superseded"
    expect(client.refresh(third["refresh"], key=KEYS[2]), 200)


def test_short_long_or_odd_key_rotates_nothing(client: Client) -> None:
    person = client.sign_up()
    for key in ("short", "k" * 21, "k" * 129, "k" * 21 + "!", "k" * 22 + " x"):
        assert code_of(client.refresh(person.refresh, key=key)) == "validation_failed"
    expect(client.refresh(person.refresh, key=KEYS[0]), 200)


def test_previous_key_rotates_nothing(client: Client) -> None:
    person = client.sign_up()
    second = expect(client.refresh(person.refresh, key=KEYS[0]), 200)
    assert code_of(client.refresh(second["refresh"], key=KEYS[0])) == "validation_failed"
    expect(client.refresh(second["refresh"], key=KEYS[1]), 200)


def test_refreshing_moves_neither_auth_time_nor_acr(client: Client) -> None:
    person = client.sign_up()
    before = claims(person.access)
    after = claims(expect(client.refresh(person.refresh), 200)["access"])
    assert [after[name] for name in ("auth_time", "acr", "amr", "sid")] == [
        before[name] for name in ("auth_time", "acr", "amr", "sid")
    ]


def test_rotation_that_the_database_lost_is_no_alarm(server: Server, client: Client) -> None:
    """A standby took over without it: the row would take the used token, so the session ends, but nobody stole."""
    person = client.sign_up()
    before = server.rows("SELECT refresh_digest FROM secure_auth_session WHERE id = %s", [person.session_id])
    newer = expect(client.refresh(person.refresh, key=KEYS[0]), 200)
    put_back = (
        "UPDATE secure_auth_session SET generation = 0, refresh_digest = %s, key_digest = '' WHERE id = %s"
    )
    server.rows(put_back, [before[0][0], person.session_id])
    assert code_of(client.refresh(newer["refresh"], key=KEYS[1])) == "invalid_token"
    assert code_of(client.refresh(person.refresh)) == "invalid_token"
    assert not events(server, type="token.reuse", session=person.session_id)
    (revoked,) = events(server, type="session.revoke", session=person.session_id)
    assert revoked.reason == "unknown"
    subjects = [str(one["Subject"]) for one in client.mailbox(person).messages()]
    assert not [subject for subject in subjects if "ended" in subject]
