"""A service posts its checkpoints to witnesses, keeps their cosignatures and serves them."""

from collections.abc import Iterator

import pytest

from audit.verify.notes import parse_key, read_checkpoint
from tests.publishing import Published, published
from tests.redis_processes import wait_until

BACKENDS = ("sqlite", "postgres")


@pytest.fixture(scope="module", params=BACKENDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    with published(request.param, tmp_path_factory.mktemp(f"published-{request.param}")) as found:
        yield found


def test_served_checkpoints_are_cosigned_though_another_witness_is_away(service: Published) -> None:
    first = service.wait_for_more(0)
    service.act()
    second = service.wait_for_more(first)
    assert service.witness.size() >= second
    note = service.checkpoint()
    log = parse_key(service.witness.logs[0])
    assert read_checkpoint(note, [log]).origin == log.name
    assert "away.test" not in note


def test_a_witness_that_was_away_is_caught_up(service: Published) -> None:
    known = service.wait_for_more(0)
    service.witness.stop()
    service.act()
    wait_until(lambda: service.size() > known, 30)
    assert not service.is_cosigned()
    service.witness.start()
    service.act()
    service.wait_for_more(service.size())


def test_what_somebody_else_posted_is_no_trouble(service: Published) -> None:
    """Checkpoints are public: anybody may take them to the witness before the log does."""
    known = service.wait_for_more(0)
    service.server.rows("DELETE FROM audit_cosignature WHERE size = %s", [known])
    service.act()
    service.wait_for_more(known)
    assert not service.server.rows("SELECT * FROM audit_contradiction")
