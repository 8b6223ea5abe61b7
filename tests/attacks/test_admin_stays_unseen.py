"""An admin acts on an account, and its owner wants to know who it was and what was noted.

Attacker: somebody under suspicion. Move: reads `me/activity/`. Refusal: the action is there, its author, address and
note are not; auditors see all three, the author in clear, so that erasing the owner's data does not hide it.
"""

from collections.abc import Callable

from tests.attacks.evidence import claims
from tests.client import Client, expect

NOTE = "suspected of fraud, watch"


def test_owner_sees_the_action_but_not_its_author(new_client: Callable[..., Client]) -> None:
    desk, home = new_client(), new_client()
    boss, person = desk.create_person(role="admin"), home.sign_up()
    user, author = claims(person.access)["sub"], claims(boss.access)["sub"]
    for action in ("unlock", "revoke-sessions"):
        expect(desk.post(f"admin/users/{user}/{action}/", {"reason": NOTE}, boss.access), 204)
    home.sign_in(person)
    answer = home.get("me/activity/", person.access)
    assert {"account.unlock", "session.revoke"} <= {event["type"] for event in expect(answer, 200)["results"]}
    for hidden in (NOTE, author, desk.address, boss.session_id):
        assert hidden not in answer.text

    found = expect(desk.get("audit/events/", boss.access, params={"session": boss.session_id}), 200)[
        "results"
    ]
    unlock = next(event for event in found if event["type"] == "account.unlock")
    assert unlock["user"] == user
    assert unlock["details"] == {"actor": author, "note": NOTE}
    assert unlock["source"]["ip"] == desk.address
