"""A service is brought back to an old backup, with everything that could remember on its own machine.

Attacker: whoever owns the machine and wants some hours never to have happened. Move: restores the database and the data
directory together, and lets the service go on. Refusal: the witness remembers. Nothing is signed on the shorter
history, `log.inconsistent` says so, and events are kept until an operator begins a successor log.
"""

from pathlib import Path

import pytest

from audit.verify.notes import parse_checkpoint, parse_note
from tests.publishing import published
from tests.redis_processes import wait_until
from tests.snapshots import snapshot

KNOWN = """
SELECT known_by, count(*) FROM (
    SELECT details ->> 'known_by' AS known_by FROM audit_event WHERE type = 'log.inconsistent') AS told
 GROUP BY known_by"""


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def test_the_witness_finds_what_nothing_else_remembers(backend: str, tmp_path: Path) -> None:
    with published(backend, tmp_path) as service:
        before = service.wait_for_more(0)
        service.server.stop()
        with snapshot(service.server, tmp_path / "backup") as old:
            service.start_again()
            service.act()
            reached = service.wait_for_more(before)
            service.server.stop()
            old.restore()
            service.start_again()

            wait_until(lambda: service.server.rows(KNOWN), 30)
            assert service.server.rows(KNOWN) == [("witness", 1)]
            for _ in range(3):
                service.act()
            assert service.size() == before
            assert service.witness.size() == reached
            pending = service.server.rows("SELECT count(*) FROM audit_pending")[0][0]
            assert pending >= 4

            service.server.manage("new_log", "--reason", "restored from a backup")
            wait_until(lambda: service.server.rows("SELECT count(*) FROM audit_pending")[0][0] == 0, 30)
            origin = parse_checkpoint(parse_note(service.checkpoint()).text).origin
            assert origin.endswith("/audit/log/2")
