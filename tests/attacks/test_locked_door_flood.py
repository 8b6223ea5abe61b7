"""Somebody keeps knocking at an account that is locked from where they are.

Attacker: one source. Move: a thousand logins to a locked account; each is refused without a hash, but costs a decision.
Refusal: refused requests count against the source like all others, and in the end it is refused altogether.
"""

from pathlib import Path

from tests.client import Client, Person, code_of, new_email
from tests.conftest import new_address
from tests.server import running_server


def test_refused_logins_count_against_their_source(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False, environment={"LIMIT_REQUESTS": "20/60"}) as server:
        client = Client(server, new_address())
        person = Person(new_email())
        codes = [code_of(client.login(person, "a wrong passphrase")) for _ in range(30)]
        assert codes[:5] == ["invalid_credentials"] * 5
        assert codes[5:25] == ["temporarily_locked"] * 20
        assert set(codes[25:]) == {"rate_limited"}
        client.close()
