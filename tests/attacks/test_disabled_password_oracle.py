"""Somebody learns whether a password is that of a disabled account.

Attacker: has a guess, from a leak. Move: sends it many times at one moment, since equal right passwords share one count
and wrong ones do not, and looks how many are refused as locked. Refusal: a disabled account's counts as a wrong one.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, new_email
from tests.server import TESTED_BACKENDS, running_server


@pytest.mark.parametrize("backend", TESTED_BACKENDS)
def test_burst_of_the_right_password_is_answered_like_one_of_a_wrong_one(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    with running_server(
        backend, tmp_path, worker=False, environment={"SERVER_WORKERS": "1"}, hashes_cheaply=False
    ) as server:
        person = Person(new_email())
        server.create_user(person.email, person.password)
        server.manage("disable", person.email)
        for password in ("a wrong passphrase", person.password):
            client = visit(server)
            codes = Counter(map(code_of, fire([partial(client.login, person, password) for _ in range(8)])))
            assert codes["invalid_credentials"] <= 5
            assert code_of(client.login(person, password)) == "temporarily_locked"
