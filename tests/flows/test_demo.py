"""`manage.py demo`: green, twice in a row, without secrets on the screen, and clear where it cannot go on."""

import re
from collections.abc import Iterator

import pytest

from tests.server import Server, free_port, running_server


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service as `make run` starts it, but that it mails little."""
    settings = {"TRUSTED_PROXIES": "", "LIMIT_MAIL_SOURCE": "2/h"}
    with running_server("sqlite", tmp_path_factory.mktemp("demo"), environment=settings) as server:
        yield server


@pytest.mark.xdist_group("sqlite")
class TestDemo:
    """One service for all, in this order."""

    def test_it_tells_the_whole_journey_twice_in_a_row(self, fresh: Server) -> None:
        for _ in range(2):
            told = fresh.manage("demo", COLUMNS="80").stdout
            for words in (
                "202 Accepted",
                "next=enroll",
                "next=verify",
                "temporarily_locked",
                "recovery_codes_left=9",
            ):
                assert words in told
            for event in ("account.register", "token.reuse", "account.lock", "session.end"):
                assert event in told
            assert max(len(line) for line in told.splitlines()) <= 80
            assert "…  " not in told[told.index("Read the log") :]  # no cell of the table is cut off
            assert not re.search(
                r"eyJ[A-Za-z0-9_-]{6}|#token=|[A-Z2-7]{4}-[A-Z2-7]{4}|[A-Za-z0-9_-]{24}", told
            )

    def test_its_accounts_are_disabled_at_the_end(self, fresh: Server) -> None:
        assert fresh.rows("SELECT count(*) FROM secure_auth_user WHERE disabled_at IS NULL") == [(0,)]
        assert fresh.rows("SELECT count(*) FROM secure_auth_user") == [(4,)]

    def test_limit_of_earlier_runs_is_one_line_that_says_how_long_to_wait(self, fresh: Server) -> None:
        done = fresh.manage("demo", check=False)
        assert done.returncode != 0
        assert re.fullmatch(
            r"CommandError: Earlier requests .* wait \d+ minutes, then run this again\.\n", done.stderr
        )

    def test_missing_server_is_one_line(self, fresh: Server) -> None:
        done = fresh.manage("demo", check=False, PORT=str(free_port()))
        assert done.returncode != 0
        assert done.stderr.startswith("CommandError: No service answers at http://127.0.0.1:")
        assert done.stderr.count("\n") == 1

    def test_server_of_another_installation_is_one_line(self, fresh: Server) -> None:
        other = fresh.directory / "other"
        other.mkdir()
        done = fresh.manage("demo", check=False, DATA_DIR=str(other))
        assert done.returncode != 0
        assert "another database or DATA_DIR" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not list(other.iterdir()), "it makes no database there"


@pytest.mark.parametrize("server", ["postgres+redis"], indirect=True)
def test_it_goes_on_where_mail_goes_elsewhere(server: Server) -> None:
    told = server.manage("demo", EMAIL_URL="smtp://mail.example.org", COLUMNS="80").stdout
    assert "Mail goes to mail.example.org, so the account is made by command instead." in told
    assert "token.reuse" in told
