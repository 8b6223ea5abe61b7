"""Somebody has one IPv6 network and goes on guessing from it, each request from another of its 65,536 parts.

Attacker: a stranger with a /48 that is over its limit. Move: logins, each from a /64 of its own, so that the log gets
an event of each. Refusal: what the network's limit refuses is one flood, one event a window and the exact number of the
others.
"""

import time
from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import Event, events
from tests.attacks.volley import statuses, stream
from tests.client import Client, Person, new_email
from tests.conftest import new_address_v6
from tests.server import Server

COUNTED = "SELECT coalesce(sum(count), 0) FROM audit_tally WHERE first_event = %s"
MAILS, BEYOND = 50, 30


def test_sources_of_a_network_that_is_refused_share_one_event(
    server: Server, new_client: Callable[..., Client]
) -> None:
    network = new_address_v6().removesuffix("::1")
    sources = [new_client(f"{network}:{number:x}::1") for number in range(1, MAILS + BEYOND + 1)]
    asked = [partial(one.post, "password/reset/", {"email": new_email()}) for one in sources]
    assert statuses(stream(asked)) == {202: MAILS, 429: BEYOND}
    (first,) = refused_of(server, network)
    assert counted(server, first) == BEYOND - 1

    other = new_address_v6().removesuffix("::1")
    elsewhere = [new_client(f"{other}:{number:x}::1") for number in range(1, MAILS + 2)]
    stream([partial(one.post, "password/reset/", {"email": new_email()}) for one in elsewhere])
    assert len(refused_of(server, other)) == 1, "another network's flood is another one"
    assert len(refused_of(server, network)) == 1


def test_what_is_refused_from_memory_is_in_the_count(
    server: Server, new_client: Callable[..., Client]
) -> None:
    network = new_address_v6().removesuffix("::1")
    nobody = [Person(new_email("nobody")) for _ in range(330)]
    sources = [new_client(f"{network}:{number:x}::1") for number in range(1, 331)]
    guesses = [partial(one.login, person, "wrong") for one, person in zip(sources, nobody, strict=True)]
    refused = statuses(stream(guesses))[429]
    assert refused == 30
    (first,) = refused_of(server, network)
    deadline = time.monotonic() + 10
    while counted(server, first) + 1 < refused and time.monotonic() < deadline:
        time.sleep(0.2)
    assert counted(server, first) + 1 == refused


def refused_of(server: Server, network: str) -> list[Event]:
    found = events(server, type="limit.exceeded")
    return [one for one in found if one.ip.startswith(f"{network}:") and one.details["key"] == "source_wide"]


def counted(server: Server, first: Event) -> int:
    return int(server.rows(COUNTED, [first.id])[0][0])
