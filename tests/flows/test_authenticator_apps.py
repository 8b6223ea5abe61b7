"""Authenticator apps: each hash and length by setting, a change of phone, a wrong clock, and how many there may be."""

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.attacks.evidence import events
from tests.authenticator import STEP_SECONDS, Authenticator
from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.oath import OathTool
from tests.problems import problem
from tests.server import LONG, Server, running_server
from tests.services import require_programs
from tests.visitor import Visitor

ALL_SCHEMES = [(algorithm, digits) for algorithm in ("SHA1", "SHA256", "SHA512") for digits in (6, 8)]
SCHEMES = ALL_SCHEMES if LONG else [("SHA1", 6), ("SHA256", 8), ("SHA512", 6)]
MOST = 10


def begin(client: Client, bearer: str, **body: str) -> dict[str, str]:
    return dict(expect(client.post("mfa/totp/", body, bearer), 201))


def confirm_path(begun: dict[str, str]) -> str:
    return f"mfa/totp/{begun['id']}/confirm/"


@pytest.mark.xdist_group("sqlite")
def test_oathtool_speaks_every_scheme_and_a_new_setting_breaks_no_old_one(tmp_path: Path) -> None:
    require_programs("oathtool")
    bound: list[Person] = []
    with running_server("sqlite", tmp_path, nodes=0) as server:
        for algorithm, digits in SCHEMES:
            server.environment |= {"TOTP_ALGORITHM": algorithm, "TOTP_DIGITS": str(digits)}
            server.nodes.clear()
            node = server.start_node("--no-worker")
            client = Client(server, new_address())
            person = Person(f"{algorithm}-{digits}@example.org".lower())
            server.create_user(person.email, person.password)
            partial = expect(client.login(person), 200)["partial_token"]
            begun = begin(client, partial)
            tool = person.authenticator = OathTool.scan(begun["otpauth_uri"])
            assert (tool.algorithm, tool.digits, tool.secret) == (algorithm, str(digits), begun["secret"])
            assert told_by_the_page(server, person) == (algorithm, digits)
            expect(client.post(confirm_path(begun), {"code": tool.code()}, partial), 200)
            bound.append(person)
            if len(bound) == len(SCHEMES):
                for each in bound:
                    client.sign_in(each)
            client.close()
            node.stop()


def told_by_the_page(server: Server, person: Person) -> tuple[str, int]:
    """What somebody reads who types the key in by hand."""
    visitor = Visitor(server, new_address())
    visitor.prove_password(person)
    words = visitor.fill(name="").text
    visitor.close()
    (digits,) = re.findall(r"time-based, (\d) digits", words)
    algorithm = re.search(r"Choose the algorithm (\w+) there", words)
    return algorithm[1] if algorithm else "SHA1", int(digits)


def test_uri_names_only_what_apps_do_not_assume(client: Client) -> None:
    """Some apps refuse a member that they do not know."""
    begun = begin(client, client.create_person().access)
    assert set(parse_qs(urlsplit(begun["otpauth_uri"]).query)) == {"secret", "issuer"}


def test_phone_is_changed_without_a_gap(client: Client) -> None:
    """At each moment one of the two signs in; afterwards the old one does not."""
    person = client.create_person()
    old, codes = person.authenticator, person.recovery_codes
    (listed,) = expect(client.get("mfa/", person.access), 200)["authenticators"]
    begun = begin(client, person.access, name="New phone")
    client.sign_in(person)
    new = Authenticator(begun["secret"])
    answer = expect(client.post(confirm_path(begun), {"code": new.code()}, person.access), 200)
    assert answer["recovery_codes"] == []
    person.authenticator = new
    client.sign_in(person)
    expect(client.delete(f"mfa/{listed['id']}/", person.access), 204)
    assert old
    partial = expect(client.login(person), 200)["partial_token"]
    problem(client.verify(partial, old.code()), "invalid_code")
    expect(client.verify(partial, codes[0], "recovery_code"), 200)
    client.sign_in(person)
    (left,) = expect(client.get("mfa/", person.access), 200)["authenticators"]
    assert (left["id"], left["name"]) == (begun["id"], "New phone")
    assert left["last_used_at"] > listed["last_used_at"]


@pytest.mark.parametrize("minutes", [-3, 3, -1, 9])
def test_wrong_clock_is_told_at_the_enrolment(client: Client, minutes: int) -> None:
    """As it is when the code arrives: a step or two later than when it was shown."""
    person = client.create_person()
    begun = begin(client, person.access)
    app = Authenticator(begun["secret"])
    shown = app.code_at(int(time.time() + minutes * 60) // STEP_SECONDS)
    body = problem(client.post(confirm_path(begun), {"code": shown}, person.access), "invalid_code")
    offset = body["clock_offset_seconds"]
    assert 0 <= minutes * 60 - offset <= 2 * STEP_SECONDS
    about = max(1, round(abs(offset) / 60))
    told = f"{about} minute{'' if about == 1 else 's'} {'ahead' if minutes > 0 else 'behind'}"
    assert f"clock is about {told}." in body["detail"]
    expect(client.post(confirm_path(begun), {"code": app.code()}, person.access), 200)


def test_clock_that_is_too_wrong_is_a_wrong_code(client: Client) -> None:
    person = client.create_person()
    begun = begin(client, person.access)
    app = Authenticator(begun["secret"])
    for code in (app.code_at(int(time.time() + 3600) // STEP_SECONDS), app.wrong_code(), "", "12345678"):
        answer = client.post(confirm_path(begun), {"code": code or "x"}, person.access)
        assert "clock_offset_seconds" not in problem(answer, "invalid_code")


def test_an_account_has_ten_authenticators_at_most(server: Server, client: Client) -> None:
    person = client.create_person()
    waiting = begin(client, person.access)
    for number in range(MOST - 1):
        begun = begin(client, person.access, name=f"Phone {number}")
        app = Authenticator(begun["secret"])
        expect(client.post(confirm_path(begun), {"code": app.code()}, person.access), 200)
    problem(client.post("mfa/totp/", {"name": "One more"}, person.access), "too_many_authenticators")
    code = Authenticator(waiting["secret"]).code()
    problem(client.post(confirm_path(waiting), {"code": code}, person.access), "too_many_authenticators")
    listed = expect(client.get("mfa/", person.access), 200)["authenticators"]
    assert len(listed) == MOST
    me = expect(client.me(person.access), 200)["id"]
    refused = [one.type for one in events(server, reason="too_many_authenticators", user=me)]
    assert refused == ["mfa.totp.begin", "mfa.totp.confirm"]
    expect(client.delete(f"mfa/{listed[-1]['id']}/", person.access), 204)
    expect(client.post(confirm_path(waiting), {"code": code}, person.access), 200)
