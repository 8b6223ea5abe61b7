"""Mail over a real SMTP server and a provider's API: what arrives, what is asked again, what becomes a dead letter."""

from collections.abc import Iterator

import pytest

from tests.authenticator import link_tokens, text_of
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.mailserver import MailServer, Provider, running_mail_server, running_provider
from tests.redis_processes import wait_until
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("sqlite")
METRICS = {"METRICS_TOKEN": "the-house-may-look-at-counters"}
STATE = 'SELECT attempts, sent_at, failed_at, error FROM secure_auth_outboxmessage WHERE "to" = %s'


@pytest.fixture(scope="module")
def smtp() -> Iterator[MailServer]:
    with running_mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def server(smtp: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ours = {"EMAIL_URL": smtp.url, "EMAIL_REPLY_TO": "help@example.org", "LIMIT_MAIL_SOURCE": "100/h"}
    directory = tmp_path_factory.mktemp("mail")
    with running_server("sqlite", directory, environment=METRICS | ours) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(server, new_address())
    yield made
    made.close()


def register(client: Client, beginning: str) -> str:
    person = Person(new_email(beginning))
    expect(client.register(person), 202)
    return person.email


def wait_for_dead(server: Server, address: str) -> str:
    """The last error of a mail that was given up."""
    wait_until(lambda: server.rows(STATE, [address])[0][2], 30)
    return str(server.rows(STATE, [address])[0][3])


def test_mail_arrives_in_text_and_html_with_its_headers(
    client: Client, server: Server, smtp: MailServer
) -> None:
    address = register(client, "ada")
    wait_until(lambda: smtp.to(address), 30)
    (message,) = smtp.to(address)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert len(link_tokens(message)) == 1
    assert f"{server.origin}/confirm/#token=" in text_of(message)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "help@example.org"
    assert message["Message-ID"].endswith("@localhost>")
    assert message["From"] == "Secure Auth <no-reply@localhost>"
    assert message["Date"]


def test_put_off_mail_comes_again(client: Client, server: Server, smtp: MailServer) -> None:
    address = register(client, "busy")
    wait_until(lambda: smtp.to(address), 40)
    wait_until(lambda: server.rows(STATE, [address])[0][1], 30)
    attempts, _, failed_at, error = server.rows(STATE, [address])[0]
    assert (attempts, failed_at, error) == (2, None, "")


def test_what_is_refused_for_good_is_a_dead_letter_at_once(
    client: Client, server: Server, smtp: MailServer
) -> None:
    for beginning, told in (("nobody", "SMTPRecipientsRefused 550"), ("spam", "SMTPDataError 554")):
        address = register(client, beginning)
        assert wait_for_dead(server, address) == told
        assert smtp.asked.count(address) == 1
        assert address not in server.logs()


def test_what_still_waits_is_no_dead_letter(client: Client, server: Server, smtp: MailServer) -> None:
    """To drop it would take a mail from somebody who waits for it; to send it anew would forget its attempts."""
    waiting = register(client, "full")
    wait_until(lambda: server.rows(STATE, [waiting])[0][0], 30)
    ids = {line.split("\t")[2]: line.split("\t")[0] for line in server.manage("outbox").stdout.splitlines()}
    for action in ("--drop", "--retry"):
        refused = server.manage("outbox", action, ids[waiting], check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
    attempts, sent_at, failed_at, error = server.rows(STATE, [waiting])[0]
    assert (sent_at, failed_at, error) == (None, None, "SMTPRecipientsRefused 452")
    assert attempts >= 1


def test_full_mailbox_waits_and_holds_up_nobody(client: Client, server: Server, smtp: MailServer) -> None:
    full, slow, next_one = (register(client, beginning) for beginning in ("full", "slow", "next"))
    wait_until(lambda: smtp.to(next_one) and smtp.to(slow), 30)
    attempts, sent_at, failed_at, error = server.rows(STATE, [full])[0]
    assert (sent_at, failed_at, error) == (None, None, "SMTPRecipientsRefused 452")
    assert attempts >= 1


def test_dead_letters_are_listed_counted_sent_anew_and_dropped(client: Client, server: Server) -> None:
    first, second = register(client, "nobody"), register(client, "nobody")
    for address in (first, second):
        wait_for_dead(server, address)
    listed = [line.split("\t") for line in server.manage("outbox").stdout.splitlines()]
    ids = {cells[2]: cells[0] for cells in listed}
    assert {first, second} <= set(ids)
    (line,) = [cells for cells in listed if cells[2] == first]
    assert line[1] == "confirm"
    assert line[3].startswith("failed ")
    assert line[4:] == ["1 attempts", "SMTPRecipientsRefused 550"]
    assert gauge(client, "mail_dead") >= 2
    assert "1 to be sent anew" in server.manage("outbox", "--retry", ids[first], "--reason", "typo").stdout
    wait_for_dead(server, first)
    again = [line.split("\t") for line in server.manage("outbox").stdout.splitlines()]
    assert (
        next(cells[4] for cells in again if cells[0] == ids[first]) == "1 attempts"
    )  # it has all its tries anew
    assert "1 deleted" in server.manage("outbox", "--drop", ids[second]).stdout
    assert server.manage("outbox", "--drop", ids[second], check=False).stderr.strip().endswith(ids[second])
    server.manage("outbox", "--drop", "all")
    assert gauge(client, "mail_dead") == 0


def gauge(client: Client, name: str) -> float:
    answer = client.http.get(
        f"{client.server.url}/metrics", headers={"Authorization": f"Bearer {METRICS['METRICS_TOKEN']}"}
    )
    line = next(one for one in answer.text.splitlines() if one.startswith(f"secure_auth_{name} "))
    return float(line.split()[1])


def test_mail_whose_link_is_over_is_not_sent(client: Client, server: Server, smtp: MailServer) -> None:
    address = register(client, "full")
    wait_until(lambda: server.rows(STATE, [address])[0][0], 30)
    used = "UPDATE secure_auth_mailtoken SET used_at = created_at WHERE id = (SELECT token_id FROM"
    server.rows(f'{used} secure_auth_outboxmessage WHERE "to" = %s)', [address])
    server.rows("UPDATE secure_auth_outboxmessage SET next_attempt_at = created_at WHERE sent_at IS NULL")
    assert wait_for_dead(server, address) == "the link is over"


def test_a_provider_takes_mail_by_its_api(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_provider() as provider:
        environment = {"EMAIL_URL": provider.url}
        directory = tmp_path_factory.mktemp("provider")
        with running_server("sqlite", directory, environment=environment) as server:
            client = Client(server, new_address())
            through_the_provider(client, server, provider)
            client.close()


def through_the_provider(client: Client, server: Server, provider: Provider) -> None:
    good, busy, refused, odd = (register(client, one) for one in ("ada", "busy", "nobody", "odd"))
    wait_until(lambda: provider.to(good) and provider.to(busy), 40)
    (sent,) = provider.to(good)
    assert "#token=" in sent["TextBody"]
    assert "<html" in sent["HtmlBody"]
    assert {"Name": "Auto-Submitted", "Value": "auto-generated"} in sent["Headers"]
    assert set(provider.keys) == {"a-server-token"}
    assert wait_for_dead(server, refused) == "AnymailRecipientsRefused"
    assert server.rows(STATE, [refused])[0][0] == 1
    _, sent_at, failed_at, error = server.rows(STATE, [odd])[0]
    assert (sent_at, failed_at, error) == (None, None, "NotTaken"), "an unclear answer is asked for again"
    assert "a-server-token" not in server.logs()
    assert refused not in server.logs()
