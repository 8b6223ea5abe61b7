"""Somebody plants lines, ids and hosts through what they send.

Attacker: anyone. Move: line breaks and odd characters in X-Request-ID, User-Agent and addresses; other Host fields;
foreign request ids that imitate ours. Refusal: no header of an answer, no log line and no mail gains a line; a foreign
id is echoed only when it is one, and never becomes ours.
"""

import json
import socket
from collections.abc import Callable

import httpx
import pytest

from tests.attacks.insider import anywhere_on_loopback
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

PLANTED = "planted-line"


def raw(server: Server, head: bytes, body: bytes = b"") -> bytes:
    """The bytes of an answer to a request as it stands here."""
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=30) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    "value",
    ["a b", "x" * 129, "ä", 'x"y', "x;y", "x/../y", "{}", "x\ty", "x%0d%0aSet-Cookie: a=b"],
    ids=repr,
)
def test_odd_request_id_is_replaced(client: Client, value: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": value.encode()})
    echoed = answer.headers["X-Request-ID"]
    assert echoed != value
    assert len(echoed) == 36


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r", b"\x00", b"\r\n "])
def test_line_break_in_a_header_gains_no_header(server: Server, line: bytes) -> None:
    head = (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: x"
        + line
        + b"Set-Cookie: "
        + PLANTED.encode()
    )
    answer = raw(server, head + b"\r\n").partition(b"\r\n\r\n")[0]
    assert PLANTED.encode() not in answer
    assert b"set-cookie" not in answer.lower()


def test_agent_and_address_with_line_breaks_stay_one_log_line(server: Server, client: Client) -> None:
    marker = new_email("marker").partition("@")[0]
    agent = f"{marker} \\n {{}} \u2028 \u0085".encode()
    refused = client.login(Person(f"{marker}\r\nBcc: x@example.org"), headers={"User-Agent": agent})
    assert refused.status_code in (400, 401)
    refused = client.login(Person(new_email()), headers={"User-Agent": agent})
    assert code_of(refused) == "invalid_credentials"
    lines = [line for line in server.logs(marker).split("\n") if marker in line]
    assert lines
    for line in lines:
        json.loads(line)


@pytest.mark.parametrize("tail", ["\r\nBcc: thief@example.org", "\nX: y", ",thief@example.org", " <b@x.org>"])
def test_address_with_more_than_an_address_gets_no_mail(client: Client, tail: str) -> None:
    person = Person(new_email() + tail)
    assert code_of(client.register(person)) == "validation_failed"


def test_request_id_of_a_trusted_proxy_is_that_of_the_event(server: Server, client: Client) -> None:
    own = "trace-" + new_email().partition("@")[0]
    answer = client.login(Person(new_email()), headers={"X-Request-ID": own})
    assert answer.headers["X-Request-ID"] == own
    assert server.rows("SELECT count(*) FROM audit_event WHERE request_id = %s", [own]) == [(1,)]


@anywhere_on_loopback
def test_request_id_of_a_stranger_is_echoed_but_names_no_event(
    server: Server, direct: Callable[[str], httpx.Client]
) -> None:
    """It is personal data, which can be erased; what the leaf of the event has can't."""
    own, peer = "trace-" + new_email().partition("@")[0], f"127.0.4.{7 + len(server.backend)}"
    body, headers = {"email": new_email(), "password": "wrong"}, {"Host": "localhost", "X-Request-ID": own}
    answer = direct(peer).post("/api/v1/login/", json=body, headers=headers)
    assert answer.headers["X-Request-ID"] == own
    assert server.rows("SELECT count(*) FROM audit_event WHERE request_id = %s", [own]) == [(0,)]
    kept = "SELECT count(*) FROM audit_personaldata WHERE foreign_request_id = %s AND ip = %s"
    assert server.rows(kept, [own, peer]) == [(1,)]


def test_foreign_host_is_refused_as_a_problem(client: Client) -> None:
    answer = client.get("me/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "evil.example" not in answer.text
    expect(client.get("/healthz"), 200)
