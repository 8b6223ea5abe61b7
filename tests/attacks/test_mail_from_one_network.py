"""Somebody has one IPv6 network, which is to be had for nothing, and asks from each of its 65,536 parts for five mails.

Attacker: a stranger with a /48. Move: registrations and resets from ever other /64s: each registration is a hash, so
that the node has no place left for anybody's, and a mail to whom they like. Refusal: a /48 has ten times what a source
has, registrations and resets together; other networks are served.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.volley import statuses, stream
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address_v6


def test_48_network_has_ten_times_the_mails_of_a_source(new_client: Callable[..., Client]) -> None:
    network = new_address_v6().removesuffix("::1")
    sources = [new_client(f"{network}:{number:x}::1") for number in range(1, 12)]
    asked = (
        partial(one.post, "password/reset/", {"email": new_email()}) for one in sources for _ in range(5)
    )
    assert statuses(stream(asked)) == {202: 50, 429: 5}

    fresh = new_client(f"{network}:ffff::1")
    refused = fresh.register(Person(new_email()))
    assert code_of(refused) == "rate_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert '"mail_source_wide";q=50;w=3600' in refused.headers["RateLimit-Policy"]
    expect(new_client(new_address_v6()).register(Person(new_email())), 202)
    expect(new_client().register(Person(new_email())), 202)
