"""Somebody with the password guesses the six digits.

Attacker: knows the password. Move: wrong codes in one pending login, in many, at once. Refusal: a pending login dies
with its fifth wrong code; ten wrong codes in 15 minutes close TOTP for the account, its logins under way too; recovery
codes still pass, and open it again; a mailed reset does not.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import claims, events
from tests.attacks.volley import fire, statuses
from tests.client import Client, Person, code_of, expect
from tests.server import Server


def wrong(person: Person) -> str:
    assert person.authenticator
    return person.authenticator.wrong_code()


def partial_token(client: Client, person: Person) -> str:
    return str(expect(client.login(person), 200)["partial_token"])


def lock_second_step(client: Client, person: Person) -> None:
    """Ten wrong codes in two pending logins."""
    for _ in range(2):
        pending = partial_token(client, person)
        for _ in range(5):
            assert code_of(client.verify(pending, wrong(person))) == "invalid_code"


def test_pending_login_dies_with_its_fifth_wrong_code(client: Client) -> None:
    person = client.sign_up()
    pending = partial_token(client, person)
    for _ in range(5):
        assert code_of(client.verify(pending, wrong(person))) == "invalid_code"
    assert code_of(client.verify(pending, person.code())) == "invalid_token"
    assert code_of(client.verify(pending, person.recovery_codes[0], "recovery_code")) == "invalid_token"


def test_wrong_recovery_codes_kill_a_pending_login_too(client: Client) -> None:
    person = client.sign_up()
    pending = partial_token(client, person)
    for number in range(5):
        code = f"AAAA-AAAA-AAAA-AAAA-AAAA-AAA{'BCDEF'[number]}"
        assert code_of(client.verify(pending, code, "recovery_code")) == "invalid_code"
    assert code_of(client.verify(pending, person.recovery_codes[0], "recovery_code")) == "invalid_token"


def test_wrong_codes_kill_a_pending_enrolment(client: Client) -> None:
    person = Person(client.sign_up().email + "m")
    expect(client.register(person), 202)
    token = client.mailbox(person).wait_for_token()
    pending = expect(client.confirm(token, person.password), 200)["partial_token"]
    begun = expect(client.post("mfa/totp/", {}, pending), 201)
    for _ in range(5):
        answer = client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": "abcdef"}, pending)
        assert code_of(answer) == "invalid_code"
    assert code_of(client.post("mfa/totp/", {}, pending)) == "invalid_token"


def test_of_50_wrong_codes_at_once_five_are_evaluated(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    pending, code = partial_token(client, person), wrong(person)
    seen = statuses(fire([partial(client.verify, pending, code) for _ in range(50)]))
    assert seen[401] + seen[429] == 50
    mine = events(server, type="login.second_factor", user=claims(person.access)["sub"], reason="wrong_code")
    assert len(mine) == 5
    assert code_of(client.verify(pending, person.code())) == "invalid_token"


def test_ten_wrong_codes_close_totp_and_a_recovery_code_opens_it(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    waiting = partial_token(new_client(), person)
    lock_second_step(client, person)
    assert code_of(client.verify(waiting, person.recovery_codes[0], "recovery_code")) == "invalid_token"

    other = new_client()
    pending = partial_token(other, person)
    refused = other.verify(pending, person.code())
    assert code_of(refused) == "temporarily_locked"
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    reauthentication = {"method": "totp", "code": wrong(person)}
    assert code_of(other.post("reauthenticate/", reauthentication, person.access)) == "temporarily_locked"

    expect(other.verify(pending, person.recovery_codes[1], "recovery_code"), 200)
    assert code_of(other.verify(partial_token(other, person), wrong(person))) == "invalid_code"


def test_wrong_codes_at_reauthentication_count_for_the_account(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    body = {"method": "totp", "code": wrong(person)}
    waiting = partial_token(client, person)
    for _ in range(10):
        assert code_of(client.post("reauthenticate/", body, person.access)) == "invalid_code"
    assert code_of(client.post("reauthenticate/", body, person.access)) == "temporarily_locked"
    assert code_of(client.verify(waiting, person.recovery_codes[0], "recovery_code")) == "invalid_token"
    assert code_of(client.verify(partial_token(client, person), person.code())) == "temporarily_locked"
    assert client.me(person.access).status_code == 200


def test_wrong_codes_lock_no_password_step(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    lock_second_step(client, person)
    expect(client.login(person), 200)


def test_mailed_reset_opens_no_lock_of_the_second_step(client: Client) -> None:
    person = client.sign_up()
    lock_second_step(client, person)
    expect(client.post("password/reset/", {"email": person.email}), 202)
    token = client.mailbox(person).wait_for_token(after=1)
    person.password = "a brand new passphrase 8"
    expect(client.post("password/reset/confirm/", {"token": token, "new_password": person.password}), 204)
    assert code_of(client.verify(partial_token(client, person), person.code())) == "temporarily_locked"


def test_recovery_code_at_reauthentication_opens_totp_too(client: Client) -> None:
    person = client.sign_up()
    lock_second_step(client, person)
    body = {"method": "totp", "code": person.code()}
    assert code_of(client.post("reauthenticate/", body, person.access)) == "temporarily_locked"
    body = {"method": "recovery_code", "code": person.recovery_codes[0]}
    expect(client.post("reauthenticate/", body, person.access), 200)
    body = {"method": "totp", "code": person.code()}
    expect(client.post("reauthenticate/", body, person.access), 200)
