"""Guesses at one account take no places of their source from others who come from there.

Attacker: guesses at one account from a shared office. Expected: each refused guess is refused for its account's sake;
what the source may do in a minute stays for its other people, though the two limits stand in different stores.
"""

from tests.attacks.barrage import barrage, guess, tally
from tests.client import Client, new_email
from tests.conftest import new_address, scaled
from tests.server import Server

GUESSES = 42
OTHERS = 6


def test_refused_guesses_leave_their_source_its_places(server: Server, client: Client) -> None:
    people = [client.create_person() for _ in range(OTHERS)]
    for _ in range(scaled(3, 10)):
        office, target = new_address(), new_email("target")
        guesses = [guess(server, target, "not the password 4711", address=office) for _ in range(GUESSES)]
        others = [guess(server, one.email, one.password, address=office) for one in people]
        hits = barrage(server, guesses + others)
        assert tally(hits[GUESSES:]) == {"ok": OTHERS}
        told = tally(hits[:GUESSES])
        assert told["invalid_credentials"] <= 5
        at_once = [hit for hit in hits[:GUESSES] if hit.code == "rate_limited"]
        assert told["temporarily_locked"] + told["invalid_credentials"] + len(at_once) == GUESSES
