"""`jörg@…` in ASCII is `=?utf-8?…?=@…`: somebody else's mailbox, and the links of the account would go there."""

from collections.abc import Iterator

import pytest

from tests.authenticator import Mailbox
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.mailserver import MailServer, running_mail_server
from tests.redis_processes import wait_until
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("encoded mailbox")
STATE = 'SELECT sent_at, failed_at, error FROM secure_auth_outboxmessage WHERE "to" = %s'


@pytest.fixture(scope="module")
def smtp() -> Iterator[MailServer]:
    with running_mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def mailing(smtp: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("mailing")
    with running_server("sqlite", directory, environment={"EMAIL_URL": smtp.url}) as running:
        yield running


def register(server: Server, name: str = "jörg", domain: str = "bücher.example") -> str:
    client = Client(server, new_address())
    person = Person(new_email(name).replace("example.org", domain))
    expect(client.register(person), 202)
    client.close()
    return person.email


def test_mail_goes_to_the_mailbox_that_registered_and_to_no_other(mailing: Server, smtp: MailServer) -> None:
    smtp.asked.clear()
    address = register(mailing)
    wait_until(lambda: smtp.to(address), 30)
    wait_until(lambda: mailing.rows(STATE, [address])[0][0], 30)
    assert smtp.asked == [address]


@pytest.mark.parametrize("domain", ["straße.example", "xn--strae-oqa.example"])
def test_mail_goes_to_the_domain_that_registered_and_not_to_its_twin(
    mailing: Server, smtp: MailServer, domain: str
) -> None:
    smtp.asked.clear()
    name = register(mailing, "ada", domain).partition("@")[0]
    wait_until(lambda: bool(smtp.asked), 30)
    assert smtp.asked == [f"{name}@xn--strae-oqa.example"]  # strasse.example may be somebody else's


def test_a_mail_server_that_knows_ascii_only_is_asked_for_no_other_mailbox(
    mailing: Server, smtp: MailServer
) -> None:
    smtp.asked.clear()
    smtp.takes_utf8 = False
    try:
        address = register(mailing)
        wait_until(lambda: mailing.rows(STATE, [address])[0][1], 30)
    finally:
        smtp.takes_utf8 = True
    assert (mailing.rows(STATE, [address])[0][2], smtp.asked) == ("AsciiOnly", [])


@pytest.mark.parametrize("domain", ["example.org", "bücher.example"])
def test_the_file_of_a_mail_names_the_mailbox(client: Client, domain: str) -> None:
    person = Person(new_email("jörg").replace("example.org", domain))
    expect(client.register(person), 202)
    outbox = client.server.data_dir / "outbox"
    Mailbox(outbox, person.email).wait_for()  # which decodes what stands there
    assert any(f"\nTo: {person.email}\n".encode() in file.read_bytes() for file in outbox.glob("*.eml"))
