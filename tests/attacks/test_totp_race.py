"""A phisher relays one TOTP code while the owner types it.

Attacker: knows the password, sees one code the moment it is typed. Move: the code 50 times at once, in one pending
login or in many. Refusal: exactly one session.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.evidence import claims, live_sessions
from tests.attacks.volley import fire, statuses
from tests.client import Client, expect
from tests.conftest import scaled
from tests.server import Server

AT_ONCE = 50


@pytest.mark.parametrize("logins", [1, 10])
def test_one_code_50_times_at_once_opens_one_session(
    server: Server, new_client: Callable[..., Client], logins: int
) -> None:
    for _ in range(scaled(1, 10)):
        client = new_client()
        person = client.sign_up()
        partials = [expect(client.login(person), 200)["partial_token"] for _ in range(logins)]
        code = person.code()
        answers = fire([partial(client.verify, partials[n % logins], code) for n in range(AT_ONCE)])
        seen = statuses(answers)
        assert seen[200] == 1
        assert seen[200] + seen[401] + seen[429] == AT_ONCE
        opened = live_sessions(server, claims(person.access)["sub"]) - {person.session_id}
        (winner,) = (answer.json() for answer in answers if answer.is_success)
        assert opened == {winner["session_id"]}
