"""A source that is over its limit goes on and on, hoping that the service works for each request or loses count.

Attacker: one source, far beyond `password_source`. Move: hundreds of logins. Refusal: 30 are evaluated; the rest is
refused, mostly from memory, and yet the log ends up with one event and the exact number of those that followed it.
"""

import time
from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import events
from tests.attacks.volley import statuses, stream
from tests.client import Client, Person, new_email
from tests.conftest import scaled
from tests.server import Server

COUNTED = "SELECT coalesce(sum(count), 0) FROM audit_tally WHERE first_event = %s"


def test_each_refusal_of_a_flood_is_in_the_count(server: Server, new_client: Callable[..., Client]) -> None:
    attacker = new_client()
    nobodies = [Person(new_email("nobody")) for _ in range(15)]
    guesses = [partial(attacker.login, nobodies[n % 15], f"wrong {n}") for n in range(scaled(150, 1500))]
    answers = stream(guesses)
    found = statuses(answers)
    assert set(found) == {401, 429}
    assert found[401] <= 30
    by_rate = [answer for answer in answers if "password_source" in answer.headers.get("RateLimit", "")]
    refused = sum(answer.status_code == 429 for answer in by_rate)
    (first,) = [
        event
        for event in events(server, type="limit.exceeded", ip=attacker.address)
        if event.details["limit"] == "password_source"
    ]
    deadline = time.monotonic() + 10
    while counted(server, first.id) + 1 < refused and time.monotonic() < deadline:
        time.sleep(0.2)
    assert counted(server, first.id) + 1 == refused


def counted(server: Server, first_event: str) -> int:
    return int(server.rows(COUNTED, [first_event])[0][0])
