"""Waiting for what the worker recognises in the log."""

import time
from collections.abc import Callable
from typing import Any

from tests.client import Client, Person, expect
from tests.server import Server

WAIT_SECONDS = 45


def wait_for_detection(client: Client, auditor: Person, rule: str, **about: str) -> dict[str, Any]:
    """The detection of this rule about one of `users`, `ips` or `sessions` (given in the singular)."""
    (what, wanted), *_ = about.items()
    return _wait(client, auditor, rule, lambda found: wanted in found["about"][f"{what}s"])


def wait_for_any_detection(client: Client, auditor: Person, rule: str) -> dict[str, Any]:
    """Some detection of this rule."""
    return _wait(client, auditor, rule, lambda _: True)


def _wait(
    client: Client, auditor: Person, rule: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for found in detections(client, auditor, rule=rule):
            if fits(found):
                return found
        time.sleep(0.3)
    raise AssertionError(f"no such {rule} within {WAIT_SECONDS} s")


def detections(client: Client, auditor: Person, **filters: str) -> list[dict[str, Any]]:
    """A page of detections."""
    page = expect(client.get("audit/detections/", auditor.access, params={"limit": "200", **filters}), 200)
    return list(page["results"])


def wait_until_followed(server: Server) -> None:
    """Until the worker has seen all that is in the log now."""
    newest = server.rows("SELECT max(id) FROM audit_event")[0][0]
    state = 'SELECT e.log, e."index", c.log, c."index" FROM audit_entry e, audit_detectioncursor c WHERE e.event = %s'
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        rows = server.rows(state, [newest])
        if rows and (rows[0][2], rows[0][3]) >= (rows[0][0], rows[0][1]):
            return
        time.sleep(0.2)
    raise AssertionError("the worker did not follow the log")
