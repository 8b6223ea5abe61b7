"""A stranger changes a genuine token a little.

Attacker: has a genuine token of each kind. Move: another byte, segment, header or claim, at random. Expected: the one
`invalid_token`, never an error of the service, and the token that was copied goes on working: no change of it is taken
for its reuse.
"""

from collections.abc import Callable

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address, scaled
from tests.mutations import mutations

Door = Callable[[Client, str], httpx.Response]
ACCESS_DOORS: tuple[Door, ...] = (
    lambda client, token: client.get("me/", token, headers=from_anywhere()),
    lambda client, token: client.post("token/verify/", {"token": token}, headers=from_anywhere()),
    lambda client, token: client.delete("sessions/", token, headers=from_anywhere()),
)
REFRESH_DOORS: tuple[Door, ...] = (
    lambda client, token: client.post("token/refresh/", {"refresh": token}, headers=from_anywhere()),
)
PARTIAL_DOORS: tuple[Door, ...] = (
    lambda client, token: client.post(
        "login/verify/", {"method": "totp", "code": "000000"}, token, headers=from_anywhere()
    ),
    lambda client, token: client.post("mfa/totp/", {}, token, headers=from_anywhere()),
)


def from_anywhere() -> dict[str, str]:
    """No limit of a source stands in the way."""
    return {"X-Forwarded-For": new_address()}


@settings(
    max_examples=scaled(60, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def refuse(client: Client, genuine: str, doors: tuple[Door, ...], data: st.DataObject) -> None:
    mutant = data.draw(mutations(genuine))
    refused = data.draw(st.sampled_from(doors))(client, mutant)
    assert refused.status_code == 401, f"{refused.status_code} {refused.text}"
    assert code_of(refused) == "invalid_token"


def test_no_mutated_token_opens_or_breaks_anything(client: Client) -> None:
    person: Person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    for genuine, doors in (
        (person.access, ACCESS_DOORS),
        (person.refresh, REFRESH_DOORS),
        (partial, PARTIAL_DOORS),
    ):
        refuse(client, genuine, doors)
    expect(client.me(person.access), 200)
    person.keep(expect(client.refresh(person.refresh), 200))
    expect(client.verify(partial, person.code()), 200)
