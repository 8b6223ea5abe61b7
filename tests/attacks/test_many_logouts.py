"""Many requests end one session at the same moment.

Attacker: nobody in particular; a page that is closed in all tabs. Move: the same logout, many times at once. Refusal:
one of them ends the session and is its one event; the others meet a token of an ended session.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import events
from tests.attacks.volley import codes, fire, statuses
from tests.client import Client
from tests.server import Server


def test_one_logout_ends_a_session_and_tells_of_it(server: Server, new_client: Callable[..., Client]) -> None:
    person = new_client().create_person()
    clients = [new_client() for _ in range(8)]
    answers = fire([partial(client.post, "logout/", None, person.access) for client in clients])
    assert statuses(answers)[204] == 1
    assert codes([answer for answer in answers if answer.status_code != 204]) == {"invalid_token": 7}
    assert len(events(server, type="session.end", session=person.session_id)) == 1
