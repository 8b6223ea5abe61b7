"""A thief with a live session makes a factor of their own at the moment when the owner ends that session.

Attacker: holds a fresh access token. Move: new recovery codes, again and again, while the owner resets the password by
mail. Refusal: the right is judged again under the account's lock; once the session is over it makes no codes, so that
none outlives it.
"""

from collections.abc import Callable
from functools import partial

import httpx

from tests.attacks.evidence import claims, events
from tests.attacks.mails import wait_for_link
from tests.attacks.volley import fire
from tests.client import Client, code_of, expect
from tests.conftest import scaled
from tests.server import Server

TRIES = 40
NEW_PASSWORD = "an entirely new passphrase 77"


def make_codes_until_refused(thief: Client, access: str) -> httpx.Response:
    """The refusal that ends it."""
    for _ in range(TRIES):
        answer = thief.post("mfa/recovery-codes/", None, access)
        if not answer.is_success:
            return answer
    return thief.post("mfa/recovery-codes/", None, access)


def test_session_makes_no_recovery_codes_once_a_reset_ended_it(
    server: Server, new_client: Callable[..., Client]
) -> None:
    for _ in range(scaled(4, 40)):
        owner, thief = new_client(), new_client()
        person = owner.sign_up()
        expect(owner.post("password/reset/", {"email": person.email}), 202)
        body = {"token": wait_for_link(owner, person, "reset"), "new_password": NEW_PASSWORD}
        reset = partial(owner.post, "password/reset/confirm/", body)
        done, refused = fire([reset, partial(make_codes_until_refused, thief, person.access)])
        expect(done, 204)
        if code_of(refused) != "invalid_token":  # the thief was done before the reset
            assert code_of(refused) == "rate_limited"
        account = claims(person.access)["sub"]
        kinds = [event.type for event in events(server, user=account, outcome="success")]
        after = kinds[kinds.index("password.reset") :]
        assert "mfa.recovery_codes.generate" not in after
