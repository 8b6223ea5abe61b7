"""What a project hangs on axes' signal takes neither the lock along nor its evidence when it fails."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.client import Client, code_of
from tests.conftest import new_address
from tests.server import Server, running_server

GUESSES = 5


def test_receiver_that_fails_undoes_no_lock_and_no_evidence(shop: Server, visitor: Client) -> None:
    guess_until_locked(shop, visitor)
    assert "page_somebody" in shop.logs("page_somebody")


@pytest.mark.postgres
def test_receiver_that_keeps_its_error_to_itself_undoes_none_either(tmp_path: Path) -> None:
    quiet = {"DJANGO_SETTINGS_MODULE": "tests.adopting.settings", "SHOP_PAGER": "quiet"}
    with (
        running_server("postgres", tmp_path, worker=False, environment=quiet) as shop,
        closing(Client(shop, new_address())) as visitor,
    ):
        guess_until_locked(shop, visitor)
        told = "a receiver of user_locked_out left an error"
        assert told in shop.logs(told)


def guess_until_locked(shop: Server, visitor: Client) -> None:
    person = visitor.create_person()
    guesses = [visitor.login(person, "another password, guessed") for _ in range(GUESSES)]
    assert [code_of(guess) for guess in guesses] == ["invalid_credentials"] * GUESSES
    locked = visitor.login(person)
    assert code_of(locked) == "temporarily_locked"
    failed = events(shop, type="login.password", outcome="failure", ip=visitor.address)
    assert len(failed) == GUESSES
    (lock,) = events(shop, type="account.lock", ip=visitor.address)
    assert lock.user == failed[0].user
