"""A change of address: asked for by somebody freshly signed in, confirmed at both ends, and by an operator."""

from collections.abc import Callable

from tests.attacks.addresses import address_of, ask, begin, confirm
from tests.attacks.evidence import events
from tests.authenticator import link_tokens, text_of
from tests.client import Client, Person, code_of, expect, new_email
from tests.problems import problem
from tests.server import Server

NewClient = Callable[..., Client]


def test_address_changes_when_both_ends_confirmed(server: Server, new_client: NewClient) -> None:
    client, elsewhere = new_client(), new_client()
    person = client.sign_up()
    other = Person(person.email, authenticator=person.authenticator, recovery_codes=person.recovery_codes)
    partial = expect(elsewhere.login(other), 200)["partial_token"]
    expect(elsewhere.verify(partial, person.recovery_codes[0], "recovery_code", remember_device=True), 200)
    (device,) = expect(client.get("devices/", person.access), 200)["results"]
    new = new_email("moved")
    old_token, new_token = begin(client, person, new)
    assert confirm(client, new_token) == "waiting"
    assert address_of(client, person) == person.email
    assert confirm(elsewhere, old_token) == "changed"
    assert address_of(client, person) == new
    listed = expect(client.get("sessions/", person.access), 200)["results"]
    assert [one["current"] for one in listed] == [True]
    assert expect(client.get("devices/", person.access), 200)["results"] == []
    problem(client.login(person), "invalid_credentials")
    expect(client.login(Person(new)), 200)
    told = client.mailbox(person).wait_for_subject("The address of your account")[0]
    assert f"    Old: {person.email}\n    New: {new}\n" in text_of(told)
    assert not link_tokens(told)
    client.mailbox(Person(new)).wait_for_subject("The address of your account")
    mine = expect(client.get("me/activity/", person.access), 200)["results"]
    heard = [event["type"] for event in mine if event["type"].startswith("address.")]
    assert heard == ["address.change", "address.confirm", "address.confirm", "address.request"]
    forgotten = [event for event in mine if event["type"] == "device.forget"]
    assert [(one["reason"], one["details"]["device"]) for one in forgotten] == [
        ("address_changed", device["id"])
    ]


def test_either_end_may_be_first_and_none_counts_twice(client: Client) -> None:
    person, new = client.sign_up(), new_email("moved")
    old_token, new_token = begin(client, person, new)
    assert confirm(client, old_token) == "waiting"
    assert confirm(client, old_token) == "invalid_link"
    assert confirm(client, new_token) == "changed"
    assert confirm(client, new_token) == "invalid_link"
    assert address_of(client, person) == new


def test_newer_request_replaces_the_older(client: Client) -> None:
    person, first, second = client.sign_up(), new_email("first"), new_email("second")
    old_tokens = begin(client, person, first)
    _, new_token = begin(client, person, second)
    assert [confirm(client, token) for token in old_tokens] == ["invalid_link"] * 2
    assert confirm(client, new_token) == "waiting"
    assert confirm(client, client.mailbox(person).tokens()[-1]) == "changed"
    assert address_of(client, person) == second


def test_what_is_no_new_address_is_refused(client: Client) -> None:
    person = client.sign_up()
    for new in ("nobody", "", "a@b\r\nBcc: x@evil.example", person.email, person.email.upper()):
        assert ask(client, person, new) == "validation_failed"
    assert ask(client, person, new_email(), "a wrong passphrase") == "invalid_credentials"


def test_mails_of_changes_are_limited_like_others(server: Server, client: Client) -> None:
    """Three an hour to an address: beyond that the answer is the same, and no mail goes out."""
    person = client.sign_up()
    for _ in range(3):
        assert ask(client, person, new_email("moved")) == "accepted"
    ours = [event for event in events(server, type="address.request") if event.ip == client.address]
    assert [event.reason for event in ours] == ["", "", "rate_limited"], "one mail was the registration's"


def test_operator_changes_the_address_of_a_lost_mailbox(server: Server, client: Client) -> None:
    person, new = client.sign_up(), new_email("rescued")
    done = server.manage("change_email", person.email, new, "--reason", "mailbox closed")
    assert done.stdout.strip() == f"{person.email} is now {new}"
    assert code_of(client.me(person.access)) == "invalid_token"
    for address in (person.email, new):
        told = client.mailbox(Person(address)).wait_for_subject("The address of your account")[0]
        assert "by an administrator" in text_of(told)
    answer = expect(client.login(Person(new)), 200)
    assert (answer["next"], answer["methods"]) == ("verify", ["totp", "recovery_code"])


def test_operators_mistakes_are_told_in_words(server: Server, client: Client) -> None:
    person, other = client.sign_up(), client.sign_up()
    for new, told in (
        (other.email.upper(), "an account with this address exists"),
        ("nobody", "not an e-mail address"),
        (person.email, "the address of the account already"),
    ):
        done = server.manage("change_email", person.email, new, "--reason", "x", check=False)
        assert done.returncode != 0
        assert told in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    expect(client.me(person.access), 200)
