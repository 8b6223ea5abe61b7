"""Somebody who is signed in has the service hash without end.

Attacker: has an account, with or without a known device. Move: asks for what wants the password again and again, with
the right one, from as many sources as it takes; nothing comes of it, but each request is a hash, and the node has none
left for others. Refusal: a session has thirty of them a minute, from wherever they come. It is the session's rate and
not the account's: who stole one does not keep the owner, in another, from changing the password.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.volley import codes, statuses, stream
from tests.client import Client, expect

ALLOWED = 30


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown", "known"])
def test_a_session_has_thirty_password_checks_a_minute_from_everywhere(
    new_client: Callable[..., Client], is_known: bool
) -> None:
    home = new_client()
    person = home.create_person()
    home.recover(person, remember_device=is_known)
    elsewhere = [new_client() for _ in range(4)]
    change = {"current_password": person.password, "new_password": "short"}
    answers = stream(
        (
            partial(elsewhere[number % 4].post, "password/change/", change, person.access)
            for number in range(ALLOWED + ALLOWED * is_known + 12)
        ),
        at_once=4,
    )
    # On a known device the account's thirty of all its devices come first.
    assert statuses(answers) == {400: ALLOWED + ALLOWED * is_known, 429: 12}
    assert codes(answers) == {"validation_failed": ALLOWED + ALLOWED * is_known, "rate_limited": 12}
    assert all(
        1 <= int(answer.headers["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429
    )

    home.recover(person)
    expect(home.post("password/change/", change, person.access), 400)
