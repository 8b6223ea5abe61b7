"""A guesser knows the id of a mailed link and tries to find the rest of its token.

Attacker: one source, many connections. Move: hundreds of wrong tokens at `password/reset/confirm/` at once, over four
server processes. Refusal: the source's limit on requests bounds how many are compared, exactly; the link stays good for
whoever reads the mail. (A token has 256 bits: the limit spares the service, not the token.)
"""

import secrets
from collections.abc import Callable

from tests.attacks.barrage import barrage, shot, tally
from tests.attacks.mails import wait_for_link
from tests.client import Client, code_of, expect
from tests.conftest import new_address, scaled
from tests.server import Server

GUESSES = scaled(650, 1000)
REQUESTS = 600
NEW = "a brand new passphrase 6"


def test_source_has_its_six_hundred_requests_for_wrong_tokens(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    owner = visit(fleet)
    person = owner.sign_up()
    expect(owner.post("password/reset/", {"email": person.email}), 202)
    token = wait_for_link(owner, person, "reset")
    row, _, digest = token.partition(".")
    address = new_address()
    bodies = [
        {"token": f"{row}.{secrets.token_urlsafe(99)[: len(digest)]}", "new_password": NEW}
        for _ in range(GUESSES)
    ]
    shots = [shot(fleet, "password/reset/confirm/", body, address=address) for body in bodies]
    seen = tally(barrage(fleet, shots))
    assert seen == {"invalid_link": REQUESTS, "rate_limited": GUESSES - REQUESTS}
    right = {"token": token, "new_password": NEW}
    late = visit(fleet, address).post("password/reset/confirm/", right)
    assert code_of(late) == "rate_limited"
    expect(owner.post("password/reset/confirm/", right), 204)
    expect(owner.login(person, NEW), 200)
