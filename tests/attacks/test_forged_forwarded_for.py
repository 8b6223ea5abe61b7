"""A guesser gives itself a new address with each request.

Attacker: reaches the service directly, or through a proxy that appends to what it is sent. Move: X-Forwarded-For and
Forwarded with made-up addresses. Refusal: from a peer that TRUSTED_PROXIES does not name they are ignored; through a
trusted one only the hop that it wrote itself counts; fields that disagree are believed by neither.
"""

from collections.abc import Callable

import httpx
import pytest

from tests.attacks.evidence import events
from tests.attacks.insider import anywhere_on_loopback
from tests.client import Client, Person, code_of, new_email
from tests.conftest import new_address
from tests.server import Server


def guess(http: httpx.Client, victim: Person, headers: dict[str, str]) -> str:
    body = {"email": victim.email, "password": "wrong"}
    return code_of(http.post("/api/v1/login/", json=body, headers={"Host": "localhost", **headers}))


@anywhere_on_loopback
@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
def test_forwarded_address_from_an_untrusted_peer_is_ignored(
    server: Server, direct: Callable[[str], httpx.Client], field: str
) -> None:
    peer = f"127.0.{2 + (field == 'Forwarded')}.{7 + len(server.backend)}"
    http, victim = direct(peer), Person(new_email())
    form = "for={}" if field == "Forwarded" else "{}"
    for _ in range(5):
        assert guess(http, victim, {field: form.format(new_address())}) == "invalid_credentials"
    assert guess(http, victim, {field: form.format(new_address())}) == "temporarily_locked"
    assert len(events(server, type="login.password", ip=peer)) == 5


def test_only_the_hop_that_the_trusted_proxy_wrote_counts(
    server: Server, new_client: Callable[..., Client]
) -> None:
    attacker, victim = new_client(), Person(new_email())
    for _ in range(5):
        chain = {"X-Forwarded-For": f"{new_address()}, {attacker.address}"}
        assert code_of(attacker.login(victim, headers=chain)) == "invalid_credentials"
    chain = {"X-Forwarded-For": f"127.0.0.1, {new_address()}, {attacker.address}"}
    assert code_of(attacker.login(victim, headers=chain)) == "temporarily_locked"
    assert len(events(server, type="login.password", ip=attacker.address)) == 5


def test_fields_that_disagree_move_no_lock(new_client: Callable[..., Client]) -> None:
    attacker, victim = new_client(), Person(new_email())
    seen = [code_of(attacker.login(victim, headers={"Forwarded": f"for={new_address()}"})) for _ in range(6)]
    assert seen == ["invalid_credentials"] * 5 + ["temporarily_locked"]
