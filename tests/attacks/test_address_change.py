"""Somebody takes an account over by moving it to another mailbox.

Attacker: holds a stolen session, an old link, one of the two mailboxes, or the address that somebody wants. Move: asks
for a change, confirms one end, mixes tokens, confirms late, races. Refusal: it takes a fresh second factor, the
password and both mailboxes, while nothing else of the account changed; nobody learns who has an account; one address
is one account's; no lock is shed on the way.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.addresses import address_of, ask, begin, confirm
from tests.attacks.evidence import events
from tests.attacks.mails import wait_for_link
from tests.attacks.volley import fire
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import scaled
from tests.server import Server

NewClient = Callable[..., Client]
NEW_PASSWORD = "nineteen yellow submarines 7"
MAILED_AND_LIVE = """SELECT 1 FROM secure_auth_mailtoken AS token
    JOIN secure_auth_outboxmessage AS mail ON mail.token_id = token.id
   WHERE token.user_id = %s AND token.purpose = 'reset' AND token.used_at IS NULL
     AND mail.template <> 'decoy' AND mail."to" = %s"""


def test_stolen_session_plants_no_change(server: Server, client: Client) -> None:
    person = client.sign_up()
    assert ask(client, person, new_email("thief"), "a guessed passphrase") == "invalid_credentials"
    assert not client.mailbox(person).tokens()[1:]


def test_one_mailbox_alone_changes_nothing(client: Client) -> None:
    person, thief = client.sign_up(), new_email("thief")
    _, new_token = begin(client, person, thief)
    assert confirm(client, new_token) == "waiting"
    for _ in range(3):
        assert confirm(client, new_token) == "invalid_link"
    assert address_of(client, person) == person.email


def test_link_of_another_purpose_or_change_confirms_nothing(client: Client) -> None:
    person, other = client.sign_up(), client.sign_up()
    old_token, new_token = begin(client, person, new_email("moved"))
    expect(client.post("password/reset/", {"email": other.email}), 202)
    reset = wait_for_link(client, other, "reset")
    assert confirm(client, reset) == "invalid_link"
    body = {"token": old_token, "new_password": NEW_PASSWORD}
    assert code_of(client.post("password/reset/confirm/", body)) == "invalid_link"
    assert code_of(client.post("mfa/reset/cancel/", {"token": new_token})) == "invalid_link"
    begin(client, other, new_email("elsewhere"))
    assert confirm(client, old_token.partition(".")[0] + "." + new_token.partition(".")[2]) == "invalid_link"
    assert confirm(client, new_token) == "waiting"
    assert confirm(client, wait_for_link(client, other, "address")) == "waiting", (
        "another's old end is another's"
    )
    assert [address_of(client, one) for one in (person, other)] == [person.email, other.email]


def test_planted_change_dies_when_the_owner_acts(new_client: NewClient) -> None:
    """Changed password, mailed reset, end of all other sessions: each kills both links."""
    for act in (_change_password, _reset_password, _end_sessions):
        client = new_client()
        person = client.sign_up()
        tokens = begin(client, person, new_email("thief"))
        assert confirm(client, tokens[1]) == "waiting"
        act(client, person)
        assert confirm(client, tokens[0]) == "invalid_link", act.__name__
        expect(client.login(person), 200)


def _change_password(client: Client, person: Person) -> None:
    body = {"current_password": person.password, "new_password": NEW_PASSWORD}
    expect(client.post("password/change/", body, person.access), 204)
    person.password = NEW_PASSWORD


def _reset_password(client: Client, person: Person) -> None:
    expect(client.post("password/reset/", {"email": person.email}), 202)
    body = {"token": wait_for_link(client, person, "reset"), "new_password": NEW_PASSWORD}
    expect(client.post("password/reset/confirm/", body), 204)
    person.password = NEW_PASSWORD


def _end_sessions(client: Client, person: Person) -> None:
    expect(client.delete("sessions/", person.access), 204)


def test_reset_link_in_the_old_mailbox_dies_with_the_change(client: Client) -> None:
    person, new = client.sign_up(), new_email("moved")
    expect(client.post("password/reset/", {"email": person.email}), 202)
    reset = wait_for_link(client, person, "reset")
    for token in begin(client, person, new):
        confirm(client, token)
    assert address_of(client, person) == new
    body = {"token": reset, "new_password": NEW_PASSWORD}
    assert code_of(client.post("password/reset/confirm/", body)) == "invalid_link"
    expect(client.login(Person(new)), 200)


@pytest.mark.parametrize("door", ["password/reset/", "register/", "email/change/"])
def test_mailbox_that_is_left_gets_no_reset_link_at_the_last_moment(
    server: Server, new_client: NewClient, door: str
) -> None:
    """Who reads the old mailbox confirms its end last, and asks for a link at that very moment."""
    thief = new_client()
    accomplice = thief.sign_up()
    for _ in range(scaled(4, 9)):
        client = new_client()
        person = client.sign_up()
        user = expect(client.me(person.access), 200)["id"]
        old_token, new_token = begin(client, person, new_email("moved"))
        assert confirm(client, new_token) == "waiting"
        body = {
            "password/reset/": {"email": person.email},
            "register/": {"email": person.email, "password": PASSWORD},
            "email/change/": {"new_email": person.email, "current_password": accomplice.password},
        }[door]
        token = accomplice.access if door == "email/change/" else ""

        def ask_for_link(stranger: Client, token: str = token, body: dict[str, str] = body) -> str:
            return str(stranger.post(door, body, token).status_code)

        asked = [partial(ask_for_link, new_client()) for _ in range(4)]
        answers: list[str] = fire([partial(confirm, client, old_token), *asked])
        assert answers[0] == "changed"
        assert server.rows(MAILED_AND_LIVE, [user, person.email]) == []


def test_asking_for_a_taken_address_tells_nothing(server: Server, new_client: NewClient) -> None:
    client, victim = new_client(), new_client()
    person, owner = client.sign_up(), victim.sign_up()
    free = ask(client, person, new_email("free"))
    taken = ask(client, person, owner.email)
    assert free == taken == "accepted"
    told = client.mailbox(owner).wait_for_subject("This address already has an account")[0]
    assert person.email not in str(told)
    assert confirm(client, wait_for_link(client, person, "address")) == "waiting"
    assert address_of(client, person) == person.email


def test_own_activity_does_not_tell_whether_an_address_is_taken(new_client: NewClient) -> None:
    taken = new_client().sign_up()
    seen = []
    for wanted in (taken.email, new_email("free")):
        client = new_client()
        person = client.sign_up()
        assert ask(client, person, wanted) == "accepted"
        results = expect(client.get("me/activity/", person.access), 200)["results"]
        (event,) = (one for one in results if one["type"] == "address.request")
        seen.append((event["outcome"], event["reason"], sorted(event["details"])))
    assert seen[0] == seen[1]


def test_one_address_wanted_by_many_is_one_accounts(server: Server, new_client: NewClient) -> None:
    """Both ends of all are confirmed at once; a registration of the address is confirmed meanwhile, too."""
    new = new_email("wanted")
    people, tokens = [], []
    for _ in range(3):
        client = new_client()
        person = client.sign_up()
        seen = len(client.mailbox(Person(new)).tokens())
        assert ask(client, person, new) == "accepted"
        tokens.append(client.mailbox(Person(new)).wait_for_token(after=seen))
        assert confirm(client, wait_for_link(client, person, "address")) == "waiting"
        people.append((client, person))
    clients = [client for client, _ in people]
    answers = fire([partial(confirm, one, token) for one, token in zip(clients, tokens, strict=True)])
    assert sorted(answers) == ["changed", "invalid_link", "invalid_link"]
    assert [address_of(*one) for one in people].count(new) == 1
    failed = events(server, type="address.change", outcome="failure", reason="known_address")
    assert len([event for event in failed if event.ip in {one.address for one in clients}]) == 2
    assert server.rows("SELECT count(*) FROM secure_auth_user WHERE email = %s", [new]) == [(1,)]


def test_both_ends_at_once_change_the_address_once(server: Server, client: Client) -> None:
    person, new = client.sign_up(), new_email("moved")
    tokens = begin(client, person, new)
    answers = fire([partial(confirm, client, token) for token in (*tokens, *tokens, *tokens)])
    assert sorted(answers) == ["changed", *["invalid_link"] * 4, "waiting"]
    assert address_of(client, person) == new
    changed = events(server, type="address.change", outcome="success")
    assert len([event for event in changed if event.ip == client.address]) == 1


def test_locks_are_not_shed_by_moving_away_and_back(server: Server, new_client: NewClient) -> None:
    client, guesser = new_client(), new_client()
    person, there = client.sign_up(), new_email("there")
    home = person.email
    for _ in range(5):
        guesser.login(person, "wrong")
    assert code_of(guesser.login(person)) == "temporarily_locked"
    for token in begin(client, person, there):
        confirm(client, token)
    server.manage("change_email", there, home, "--reason", "back again")
    assert code_of(guesser.login(person)) == "temporarily_locked"
    expect(client.login(person), 200)
