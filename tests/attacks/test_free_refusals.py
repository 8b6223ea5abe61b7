"""A source sends what is refused before any endpoint sees it, as often as it likes.

Attacker: one source. Move: bodies of up to 1 MiB, which is too large, a foreign `Host`, a Content-Type that Django
cannot read. Refusal: each counts for the requests of the source like everything else, and beyond these the answer is
429.
"""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests import passkeys
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("free refusals")
ALLOWED = 10
Move = Callable[[Client], httpx.Response]
MOVES: dict[str, tuple[Move, str]] = {
    "large body": (lambda client: client.post("login/", content=b"x" * 70_000), "payload_too_large"),
    "foreign host": (
        lambda client: client.get("me/", headers={"Host": "evil.example"}),
        "validation_failed",
    ),
    "charset that is none": (
        lambda client: client.get("me/?a=1", headers={"Content-Type": "text/plain; charset=zlib"}),
        "invalid_token",
    ),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"LIMIT_REQUESTS": f"{ALLOWED}/min"}
    directory = tmp_path_factory.mktemp("free")
    with running_server("sqlite", directory, worker=False, environment=environment) as running:
        yield running


def test_confirmation_that_is_refused_before_the_code_is_judged_counts_too(
    service: Server, visit: Callable[..., Client]
) -> None:
    """An app is begun by a relayed code; then its owner binds a passkey elsewhere."""
    owner, thief = visit(service), visit(service)
    person = owner.create_person()
    stolen = Person(person.email, authenticator=person.authenticator)
    thief.sign_in(stolen)
    begun = expect(thief.post("mfa/totp/", {}, stolen.access), 201)
    passkeys.add_passkey(owner, person)
    path, flood = f"mfa/totp/{begun['id']}/confirm/", visit(service)
    codes = [code_of(flood.post(path, {"code": "000000"}, stolen.access)) for _ in range(ALLOWED + 2)]
    assert codes == ["reauthentication_required"] * ALLOWED + ["rate_limited"] * 2


@pytest.mark.parametrize("move", MOVES)
def test_what_no_endpoint_sees_counts_too(service: Server, visit: Callable[..., Client], move: str) -> None:
    send, refusal = MOVES[move]
    client = visit(service, new_address())
    codes = [code_of(send(client)) for _ in range(ALLOWED + 2)]
    assert codes == [refusal] * ALLOWED + ["rate_limited"] * 2
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 200
