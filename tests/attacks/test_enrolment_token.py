"""Somebody with a stolen password enrols where the owner lost or never made a second factor.

Attacker: knows the password, not the mailbox. Move: `enroll` tokens of old or reset accounts, with no mailed token, one
of another purpose or account, a used one, or after a mailed reset; an enrolment with a `verify` token. Refusal: the
mailed enrolment token of this very account is needed, once; a partial token for the second step enrols nothing.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.mails import wait_for_link
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server, running_server


@pytest.fixture(scope="module", params=["sqlite", "postgres+redis"])
def old_mailboxes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A service on which every mailbox was proved too long ago."""
    environment = {"ENROLMENT_WINDOW_SECONDS": "0"}
    directory = tmp_path_factory.mktemp("old-mailboxes")
    with running_server(request.param, directory, environment=environment) as running:
        yield running


def begin(client: Client, partial: str, token: str = "") -> str:
    answer = client.post("mfa/totp/", {"token": token} if token else {}, partial)
    return "begun" if answer.is_success else code_of(answer)


def enrolling(client: Client, person: Person) -> str:
    answer = expect(client.login(person), 200)
    assert answer["next"] == "enroll"
    return str(answer["partial_token"])


def confirm(client: Client) -> tuple[Person, str]:
    person = Person(new_email())
    expect(client.register(person), 202)
    return person, client.mailbox(person).wait_for_token()


@pytest.mark.xdist_group("old-mailboxes")
def test_old_mailbox_needs_its_mailed_token(old_mailboxes: Server, visit: Callable[..., Client]) -> None:
    owner, attacker = visit(old_mailboxes), visit(old_mailboxes)
    person, link = confirm(owner)
    expect(owner.confirm(link, person.password), 200)
    stranger, other_link = confirm(attacker)
    expect(attacker.confirm(other_link, stranger.password), 200)
    enrolling(attacker, stranger)
    of_stranger = wait_for_link(attacker, stranger, "enrol")

    partial = enrolling(attacker, person)
    mailed = wait_for_link(owner, person, "enrol")
    for wrong in ("", "x", link, other_link, of_stranger, mailed[:-1], mailed + "0"):
        assert begin(attacker, partial, wrong) == "invalid_link"

    expect(owner.post("password/reset/", {"email": person.email}), 202)
    reset = wait_for_link(owner, person, "reset")
    assert begin(attacker, partial, reset) == "invalid_link"
    body = {"token": reset, "new_password": "a brand new passphrase 5"}
    expect(owner.post("password/reset/confirm/", body), 204)
    person.password = body["new_password"]
    assert begin(owner, enrolling(owner, person)) == "invalid_link", "a reset proves nothing for enrolment"

    assert begin(owner, enrolling(owner, person), mailed) == "begun"
    assert begin(attacker, enrolling(attacker, person), mailed) == "invalid_link"


def test_after_reset_mfa_the_mailed_token_is_needed(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person = owner.sign_up()
    first = expect(owner.login(person), 200)["partial_token"]
    owner.server.manage("reset_mfa", person.email)
    assert code_of(owner.me(person.access)) == "invalid_token"
    assert begin(owner, first) == "invalid_token"
    assert code_of(owner.verify(first, person.recovery_codes[0], "recovery_code")) == "invalid_token"

    partial = enrolling(attacker, person)
    assert begin(attacker, partial) == "invalid_link"
    mailed = wait_for_link(owner, person, "enrol")
    assert begin(owner, enrolling(owner, person), mailed) == "begun"
    assert begin(attacker, partial, mailed) == "invalid_link"


def test_links_that_are_left_die_when_an_authenticator_is_bound(client: Client) -> None:
    person = client.sign_up()
    client.server.manage("reset_mfa", person.email)
    partial = enrolling(client, person)
    enrolling(client, person)
    live = (
        "SELECT 1 FROM secure_auth_mailtoken AS link JOIN secure_auth_user AS account ON account.id = link.user_id "
        "WHERE account.email = %s AND link.purpose = 'enrol' AND link.used_at IS NULL"
    )
    assert len(client.server.rows(live, [person.email])) == 2
    assert begin(client, partial, wait_for_link(client, person, "enrol")) == "begun"
    client.enrol(person, partial)
    assert client.server.rows(live, [person.email]) == []


def test_second_step_token_enrols_nothing(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)
    assert partial["next"] == "verify"
    assert begin(client, partial["partial_token"]) == "invalid_token"


def test_enrolment_mail_in_a_lost_mailbox_dies_when_the_address_is_moved(client: Client) -> None:
    person, moved = client.create_person(), Person(new_email("moved"))
    client.server.manage("reset_mfa", person.email)
    enrolling(client, person)
    lost = wait_for_link(client, person, "enrol")
    client.server.manage("change_email", person.email, moved.email, "--reason", "the mailbox is lost")
    assert begin(client, enrolling(client, moved), lost) == "invalid_link"
    assert begin(client, enrolling(client, moved), wait_for_link(client, moved, "enrol")) == "begun"
