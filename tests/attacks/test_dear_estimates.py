"""Somebody asks for estimates of passwords that zxcvbn takes seconds for.

Attacker: anyone. Move: rows of signs that may stand for letters, repeats, long bodies, many at once. Refusal: each is
answered or put off with 503, the service goes on, and nothing of the passwords is in its log.
"""

from collections.abc import Callable

from tests.attacks.volley import fire, statuses
from tests.client import Client, code_of, expect
from tests.server import Server

DEAR = ["4@8({[<369&!1|7$50+%2" * 40, "1|7!" * 200, "[{(<" * 200, "aab" * 300, "@4!1|l7$5" * 100]
CANARY = "canary-4@8({[<369-canary"


def test_dear_passwords_are_estimated_and_others_are_served_meanwhile(
    server: Server, new_client: Callable[..., Client]
) -> None:
    before = len(server.written())
    clients = [new_client() for _ in range(8)]
    asked = [
        lambda client=client, number=number: client.post(
            "password/strength/", {"password": DEAR[number % len(DEAR)], "email": "ada@example.org"}
        )
        for number, client in enumerate(clients)
    ]
    answers = fire([*asked, lambda: clients[0].get("/healthz")])
    assert answers[-1].status_code == 200
    assert set(statuses(answers)) <= {200, 503}
    assert statuses(answers)[200] > 1
    expect(clients[0].post("password/strength/", {"password": CANARY}), 200)
    assert CANARY not in server.logs()[before:]


def test_what_is_too_long_or_no_text_is_refused_before_it_is_estimated(client: Client) -> None:
    for body in (
        {"password": "x" * 1025},
        {"password": ""},
        {"password": 5},
        {"email": "x"},
        {"password": "x", "user": 1},
    ):
        assert code_of(client.post("password/strength/", body)) == "validation_failed"
    expect(client.post("password/strength/", {"password": "x" * 1024, "email": "nobody"}), 200)
