"""A source that is over its limit of requests shows the token of a device, at doors that have no lane for devices.

Attacker: one source with an invented header. Move: weak passwords at `register/`, each of which is an
event. Refusal: as without the header, from memory; what is not looked at writes nothing.
"""

import time
from pathlib import Path

from tests.client import Client, Person, code_of, new_email
from tests.conftest import new_address
from tests.server import running_server

ALLOWED, TRIES = 10, 40
TOLD = "SELECT id FROM audit_event WHERE type = 'account.register'"
COUNTED = "SELECT coalesce(sum(count), 0) FROM audit_tally WHERE first_event = %s"


def test_header_opens_no_lane_where_there_is_none(tmp_path: Path) -> None:
    environment = {"LIMIT_REQUESTS": f"{ALLOWED}/min"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        client = Client(server, new_address())
        client.http.headers["X-Device-Token"] = "x"
        for _ in range(ALLOWED):
            assert code_of(client.me("")) == "invalid_token"
        began = time.monotonic()
        for _ in range(TRIES):
            assert code_of(client.register(Person(new_email(), "weak"))) == "rate_limited"
        seconds = time.monotonic() - began
        client.close()
        told = server.rows(TOLD)
        looked_at = sum(1 + server.rows(COUNTED, [first])[0][0] for (first,) in told)
        assert looked_at <= 2 + seconds, "one look a second, when the memory is over"
