"""What a project hangs on axes' signal takes neither the lock along nor its evidence when it fails."""

from tests.attacks.evidence import events
from tests.client import Client, code_of
from tests.server import Server

GUESSES = 5


def test_receiver_that_fails_undoes_no_lock_and_no_evidence(shop: Server, visitor: Client) -> None:
    person = visitor.create_person()
    guesses = [visitor.login(person, "another password, guessed") for _ in range(GUESSES)]
    assert [code_of(guess) for guess in guesses] == ["invalid_credentials"] * GUESSES
    locked = visitor.login(person)
    assert code_of(locked) == "temporarily_locked"
    failed = events(shop, type="login.password", outcome="failure", ip=visitor.address)
    assert len(failed) == GUESSES
    (lock,) = events(shop, type="account.lock", ip=visitor.address)
    assert lock.user == failed[0].user
    assert "page_somebody" in shop.logs()
