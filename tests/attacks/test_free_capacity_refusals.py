"""A source sends what a busy node has no capacity to judge, as often as it likes.

Attacker: one source. Move: logins and registrations while all places for hashes are taken: what these had reserved of
their own limits is given back. Refusal: each counts for the requests of the source, and beyond these the answer is 429.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, Person, code_of, expect, new_email
from tests.server import TESTED_BACKENDS, running_server

ALLOWED = 10


@pytest.mark.parametrize("backend", TESTED_BACKENDS)
def test_what_nobody_had_the_capacity_to_judge_counts_as_a_request(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    settings = {"HASH_CONCURRENCY": "1", "LIMIT_REQUESTS": f"{ALLOWED}/min"}
    with running_server(backend, tmp_path, worker=False, environment=settings) as server:
        person = Person(new_email())
        with (server.data_dir / "hash-slots" / "0").open("w") as place:
            fcntl.flock(place, fcntl.LOCK_EX)
            for send in (Client.login, Client.register):
                client = visit(server)
                answers = [send(client, person) for _ in range(ALLOWED + 2)]
                codes = [code_of(answer) for answer in answers]
                assert codes == ["service_unavailable"] * ALLOWED + ["rate_limited"] * 2
                told = [answer.headers["RateLimit"] for answer in answers]
                left = [*range(ALLOWED - 1, -1, -1), 0, 0]
                assert [one.partition(";t=")[0] for one in told] == [f'"requests";r={r}' for r in left]


def test_known_devices_whose_rate_is_spent_do_not_make_it_free(
    tmp_path: Path, visit: Callable[..., Client]
) -> None:
    settings = {
        "HASH_CONCURRENCY": "1",
        "LIMIT_REQUESTS": f"{ALLOWED}/min",
        "LIMIT_PASSWORD_DEVICE_ATTEMPTS": "1/min",
    }
    with running_server("sqlite", tmp_path, environment=settings) as server:
        person = visit(server).sign_up()
        visit(server).recover(person, remember_device=True)
        visit(server).login(person)  # the one that the rate allows
        with (server.data_dir / "hash-slots" / "0").open("w") as place:
            fcntl.flock(place, fcntl.LOCK_EX)
            client = visit(server)
            codes = [code_of(client.login(person)) for _ in range(ALLOWED + 2)]
    assert codes == ["service_unavailable"] * ALLOWED + ["rate_limited"] * 2


def test_address_whose_mails_are_used_up_is_not_told_and_not_free(
    tmp_path: Path, visit: Callable[..., Client]
) -> None:
    settings = {"HASH_CONCURRENCY": "1", "LIMIT_MAIL_ADDRESS": "1/h"}
    with running_server("sqlite", tmp_path, worker=False, environment=settings) as server:
        asked, new = Person(new_email()), Person(new_email())
        expect(visit(server).register(asked), 202)
        with (server.data_dir / "hash-slots" / "0").open("w") as place:
            fcntl.flock(place, fcntl.LOCK_EX)
            answers = [visit(server).register(person) for person in (asked, new)]
    assert [code_of(answer) for answer in answers] == ["service_unavailable"] * 2
    told = [answer.headers.get("RateLimit", "").partition(";t=")[0] for answer in answers]
    assert told == ['"requests";r=599'] * 2
