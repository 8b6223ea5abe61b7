"""A role that was taken away, at the doors of another service.

Attacker: somebody who has just lost a role. Move: shows the access token from before, which names the role and is good
for minutes, to a service that asks about it. Refusal: introspection tells the roles that the account has now.
"""

import json

from tests.attacks.evidence import claims
from tests.client import Client, expect, new_email
from tests.server import Server


def test_introspection_tells_the_roles_of_now(server: Server, client: Client) -> None:
    person = client.create_person(role="auditor")
    made = json.loads(server.manage("create_client", new_email("service")).stdout)

    def told_roles() -> list[str]:
        asked = {"token": person.access, **made}
        return list(expect(client.post("token/introspect/", asked), 200)["roles"])

    assert told_roles() == ["auditor"]
    server.manage("set_role", person.email, "none")
    assert told_roles() == []
    assert claims(person.access)["roles"] == ["auditor"]
