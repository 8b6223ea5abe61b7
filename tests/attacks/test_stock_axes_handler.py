"""An operator configures axes' stock handler, which checks before it counts.

Attacker: anyone who guesses then. Move: passwords. Refusal: a handler that reserves nothing allows nothing: 503, no
password is evaluated, right or wrong. So the lockout tests depend on the handler of this service.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import codes, fire
from tests.client import Client, Person, new_email
from tests.server import running_server


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_without_our_handler_no_password_is_evaluated(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.attacks.stock_axes_settings"}
    with running_server(
        backend, tmp_path, worker=False, environment=environment, hashes_cheaply=False
    ) as server:
        person = Person(new_email())
        server.create_user(person.email, person.password)
        client = visit(server)
        answers = fire(
            [partial(client.login, person, password) for password in ["wrong"] * 10 + [person.password]]
        )
        assert codes(answers) == {"service_unavailable": 11}
        assert events(server, type="login.password") == []
