"""Recovery codes: a sheet to print, a count and a mail with each that is used, a warning when few are left."""

import re

import pytest

from tests.authenticator import text_of
from tests.client import Client, Person, expect
from tests.server import Server

SHEET = {"Accept": "text/plain"}
CODE = re.compile(r"^ *\d+\.  ((?:[A-Z2-7]{4}-){5}[A-Z2-7]{4})$", re.MULTILINE)


def mailed(client: Client, person: Person, count: int) -> list[tuple[str, str]]:
    """Subject and text of the mails about used codes, once there are so many; oldest first."""
    every = client.mailbox(person).wait_for(count)
    while True:
        found = [(str(one["Subject"]), text_of(one)) for one in every]
        found = [(subject, text) for subject, text in found if subject.endswith("was used at Secure Auth")]
        if len(found) >= count:
            return found
        every = client.mailbox(person).wait_for(len(every) + 1)


def test_new_codes_come_as_a_sheet_to_print(client: Client) -> None:
    person = client.sign_up()
    answer = client.post("mfa/recovery-codes/", token=person.access, headers=SHEET)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert "no-store" in answer.headers["Cache-Control"]
    person.recovery_codes = CODE.findall(answer.text)
    assert len(set(person.recovery_codes)) == 10
    assert person.email in answer.text.splitlines()[0]
    assert client.recover(person)["recovery_codes_left"] == 9


@pytest.mark.parametrize("accept", ["Text/Plain", "application/json;q=0.1, text/plain", "text/plain;q=0.1"])
def test_text_is_asked_for_in_any_case_and_by_weight(client: Client, accept: str) -> None:
    person = client.create_person()
    answer = client.post("mfa/recovery-codes/", token=person.access, headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/json, text/plain;q=0.5",
        "text/html",
        "text/plain;q=0.5, application/json",
        "text/plain;q=0",
        "text/plain;q=0, */*",
        "text/plain; q*=nothing''%41",
    ],
)
def test_whoever_asks_for_no_text_gets_json(client: Client, accept: str) -> None:
    person = client.create_person()
    answer = client.post("mfa/recovery-codes/", token=person.access, headers={"Accept": accept})
    assert len(expect(answer, 200)["recovery_codes"]) == 10


def test_login_with_another_factor_tells_no_count(client: Client) -> None:
    person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    assert "recovery_codes_left" not in expect(client.verify(partial, person.code()), 200)


def test_each_used_code_is_mailed_and_few_are_warned_of(server: Server, client: Client) -> None:
    person = client.create_person()
    left = [client.recover(person)["recovery_codes_left"] for _ in range(10)]
    assert left == list(range(9, -1, -1))
    assert expect(client.login(person), 200)["methods"] == ["totp"]
    mails = mailed(client, person, 10)
    for (subject, text), count in zip(mails[:-1], left, strict=False):
        assert subject == "A recovery code was used at Secure Auth"
        assert client.address in text
        assert ("WARNING" in text) == (int(str(count)) <= 3)
        assert (
            f"{count} codes are left" in text or f"only {count} {'is' if count == 1 else 'are'} left" in text
        )
    assert mails[-1][0] == "Your last recovery code was used at Secure Auth"
    assert "that was the last one" in mails[-1][1]


def test_code_used_at_a_reauthentication_is_mailed_too(client: Client) -> None:
    person = client.create_person()
    body = {"method": "recovery_code", "code": person.recovery_codes.pop()}
    expect(client.post("reauthenticate/", body, person.access), 200)
    ((_, text),) = mailed(client, person, 1)
    assert "9 codes are left" in text
    assert "#token=" not in text
