"""Mail when the worker is killed between handing over and marking, and when no server answers: twice beats never."""

from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.authenticator import link_tokens
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.dying import die_in
from tests.mailserver import running_mail_server
from tests.meanwhile import outcome
from tests.server import Server, free_port, running_server

SEND = "from secure_auth import outbox; print(outbox.send_due())"
OUTBOX = "secure_auth.outbox"
SHELL = ("shell", "--no-imports", "-c", SEND)
DUE = "UPDATE secure_auth_outboxmessage SET next_attempt_at = created_at WHERE sent_at IS NULL"
COLUMNS = "attempts, sent_at IS NOT NULL, failed_at IS NOT NULL, error"
STATE = f'SELECT {COLUMNS} FROM secure_auth_outboxmessage WHERE "to" = %s'


def register(server: Server) -> str:
    client, person = Client(server, new_address()), Person(new_email())
    expect(client.register(person), 202)
    client.close()
    return person.email


def send(server: Server) -> str:
    return server.manage(*SHELL).stdout.strip().splitlines()[-1]


def test_worker_killed_after_handing_over_sends_again(tmp_path: Path) -> None:
    with running_mail_server() as smtp:
        environment = {"EMAIL_URL": smtp.url}
        with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
            address = register(server)
            die_in(server, "secure_auth.outbox.mark_sent", *SHELL)
            assert len(smtp.to(address)) == 1
            assert send(server) == "0", "the claim of a sender that died holds for a while"
            server.rows(DUE)
            assert send(server) == "1"
            assert send(server) == "0"
            first, second = smtp.to(address)
            assert first["Message-ID"] == second["Message-ID"], "a mailbox may know the double"
            assert link_tokens(first) == link_tokens(second)
            assert server.rows(STATE, [address])[0][:3] == (2, 1, 0)


def test_worker_killed_before_handing_over_loses_nothing(tmp_path: Path) -> None:
    with running_mail_server() as smtp:
        environment = {"EMAIL_URL": smtp.url}
        with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
            address = register(server)
            die_in(server, "secure_auth.letters.write", *SHELL)
            server.rows(DUE)
            assert send(server) == "1"
            assert len(smtp.to(address)) == 1


def test_dead_server_fails_no_login_and_ends_as_a_dead_letter(tmp_path: Path) -> None:
    """Nine tries in all; then an event, and the mail waits for an operator."""
    environment = {"EMAIL_URL": f"smtp://127.0.0.1:{free_port()}"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        address = register(server)
        client = Client(server, new_address())
        person = client.create_person()
        for _ in range(9):
            server.rows(DUE)
            assert send(server) == "0"
        client.sign_in(person)
        client.close()
        assert server.rows(STATE, [address])[0] == (9, 0, 1, "ConnectionRefusedError")
        ((reason,),) = server.rows(
            "SELECT reason FROM audit_event WHERE type = 'mail.fail' AND details LIKE '%confirm%'"
        )
        assert reason == "unavailable"
        assert "ConnectionRefusedError" in server.manage("outbox").stdout


def test_two_leaders_at_once_send_a_mail_once_and_lose_none_that_went_out(tmp_path: Path) -> None:
    """What one of them has claimed the other leaves; what one sent the other does not give up, and its words go."""
    with running_server("sqlite", tmp_path, worker=False) as server:
        client = Client(server, new_address())
        person = client.create_person()
        server.rows("DELETE FROM secure_auth_outboxmessage")
        expect(client.post("password/reset/", {"email": person.email}), 202)
        send, address = "outbox.send_due()", new_address()
        claim = "go_on(*given, **named)"
        assert outcome(server, send, before=f"{OUTBOX}._claim", meanwhile=claim, address=address) == "done"
        assert client.mailbox(person).messages() == []
        server.rows("UPDATE secure_auth_mailtoken SET expires_at = created_at")
        told = """UPDATE secure_auth_outboxmessage SET next_attempt_at = created_at, context = '{"a": "b"}'"""
        server.rows(told)
        sent = "outbox.mark_sent(*given[:1])"
        assert outcome(server, send, before=f"{OUTBOX}._give_up", meanwhile=sent, address=address) == "done"
        assert server.rows("SELECT failed_at, context FROM secure_auth_outboxmessage") == [(None, "{}")]
        assert events(server, type="mail.fail") == []
        client.close()


@pytest.mark.parametrize("other", ["retry", "drop"])
def test_of_two_operators_one_acts_on_a_dead_letter(tmp_path: Path, other: str) -> None:
    dead = "UPDATE secure_auth_outboxmessage SET failed_at = created_at RETURNING id"
    thread = "threading.Thread(target=lambda: outbox.{other}({message!r}, note='second'))"
    with running_server("postgres", tmp_path, worker=False) as server:
        register(server)
        ((message,),) = server.rows(dead)
        begin = thread.format(other=other, message=message)
        answer = outcome(
            server,
            f"outbox.retry({message!r}, note='first'); second.join()",
            before="secure_auth.outbox.append",
            meanwhile=f"import threading, time; global second; second = {begin}; second.start(); time.sleep(1)",
            address=new_address(),
        )
        assert answer == "done"
        told = [(event.type, event.text) for event in events(server) if event.type.startswith("mail.")]
        assert told == [("mail.retry", {"note": "first"})]
        assert server.rows("SELECT 1 FROM secure_auth_outboxmessage WHERE failed_at IS NULL") == [(1,)]
