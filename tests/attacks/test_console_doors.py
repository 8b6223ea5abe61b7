"""Attacker: somebody signed in without the role, an auditor, whoever found an unlocked screen, or another site.
Move: opens the console's pages, sends its forms, keeps it open by other pages or a live tail, leads an auditor there.
Refusal: a role is missing; an idle console and every action want a second factor proved anew; nothing is done. No other
site's words are asked, or told to the log.
"""

from datetime import UTC, datetime, timedelta

import pytest

from tests.client import Client, expect
from tests.server import Server
from tests.watcher import LookIn, age, events_of

NOBODY = "00000000-0000-7000-8000-000000000000"
LOOKS = (
    "", "events/", f"events/{NOBODY}/", f"events/{NOBODY}/proof/", "events/export/", "detections/",
    f"detections/{NOBODY}/", "people/", f"people/{NOBODY}/", "integrity/", "integrity/progress/",
    f"events/tail/{NOBODY}/",
)  # fmt: skip
ACTS = (
    f"detections/{NOBODY}/acknowledge/", "integrity/verify/", "events/tail/", f"events/tail/{NOBODY}/stop/",
    f"people/{NOBODY}/disable/", f"people/{NOBODY}/reset-mfa/",
)  # fmt: skip


def test_strangers_are_led_to_sign_in(server: Server, look_in: LookIn, client: Client) -> None:
    watcher = look_in(client.create_person(role="auditor"))
    watcher.cookies.pop("__Host-web")
    for path in LOOKS:
        assert watcher.get(f"/console/{path}").headers["Location"].startswith("/sign-in/"), path


def test_without_a_role_every_door_is_shut(server: Server, client: Client, look_in: LookIn) -> None:
    watcher = look_in(client.create_person())
    for path in LOOKS:
        assert watcher.get(f"/console/{path}").status_code == 403, path
    for path in ACTS:
        assert watcher.post(f"/console/{path}", note="x", reason="x").status_code == 403, path
    assert ("permission.denied", "failure", "role_missing") in events_of(server, watcher.session)


def test_an_auditor_acts_on_nobody(client: Client, look_in: LookIn) -> None:
    watcher, target = look_in(client.create_person(role="auditor")), client.create_person()
    user = expect(client.me(target.access), 200)["id"]
    for path in ("people/", f"people/{user}/"):
        assert watcher.get(f"/console/{path}").status_code == 403
    assert watcher.post(f"/console/people/{user}/disable/", reason="x").status_code == 403
    assert client.me(target.access).status_code == 200


def test_an_idle_console_wants_a_second_factor(server: Server, client: Client, look_in: LookIn) -> None:
    watcher = look_in(client.create_person(role="auditor"))
    watcher.get("/console/events/")
    tail = watcher.post("/console/events/tail/").json()
    age(server, watcher.session)
    assert watcher.get("/").status_code == 200  # other pages are open, and keep nothing open
    for path in LOOKS:
        if "people" not in path:
            answer = watcher.get(f"/console/{path}")
            assert answer.headers["Location"].startswith("/reauthenticate/?next=%2Fconsole%2F"), path
    poll = watcher.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}")
    assert poll.status_code == 303


def test_a_live_tail_keeps_no_console_open(server: Server, client: Client, look_in: LookIn) -> None:
    watcher = look_in(client.create_person(role="auditor"))
    watcher.get("/console/events/")
    tail = watcher.post("/console/events/tail/").json()
    age(server, watcher.session, visit=False)
    ago = f"{datetime.now(UTC) - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"  # a use now would be noted
    server.rows("UPDATE secure_auth_consolevisit SET seen_at = %s WHERE session = %s", [ago, watcher.session])
    seen = "SELECT seen_at FROM secure_auth_consolevisit WHERE session = %s"
    before = server.rows(seen, [watcher.session])
    assert watcher.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").status_code == 200
    assert watcher.get("/console/integrity/progress/").status_code in (200, 404)
    after = server.rows(seen, [watcher.session])
    assert before == after


def test_somebody_elses_tail_is_not_there(client: Client, look_in: LookIn) -> None:
    auditor = client.create_person(role="auditor")
    one, other = look_in(auditor), look_in(auditor)
    one.get("/console/events/")
    tail = one.post("/console/events/tail/").json()
    other.get("/console/events/")
    assert other.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").status_code == 404
    other.post(f"/console/events/tail/{tail['id']}/stop/")
    assert one.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").status_code == 200


def test_an_old_proof_acts_on_nothing(server: Server, client: Client, look_in: LookIn) -> None:
    watcher, target = look_in(client.create_person(role="admin")), client.create_person()
    user = expect(client.me(target.access), 200)["id"]
    watcher.get("/console/")
    age(server, watcher.session, visit=False)
    acts = {
        f"people/{user}/disable/": f"people/{user}/",
        "integrity/verify/": "integrity/",
        f"detections/{NOBODY}/acknowledge/": f"detections/{NOBODY}/",
    }
    for path, back in acts.items():
        answer = watcher.post(f"/console/{path}", reason="x", note="x")
        if "integrity" not in path:  # what was typed waits in the form that asks for the factor
            assert (answer.status_code, "Location" in answer.headers) == (401, False)
            assert watcher.post(f"/console/{path}", reason="x", note="x", code="000000").status_code == 401
            answer = watcher.post(f"/console/{path}", reason=" ", note="")
        wanted = f"/reauthenticate/?next=%2Fconsole%2F{back.replace('/', '%2F')}"
        assert (answer.status_code, answer.headers["Location"]) == (303, wanted)
    for page in ("people/", f"people/{user}/"):
        assert watcher.get(f"/console/{page}").headers["Location"].startswith("/reauthenticate/")
    assert client.me(target.access).status_code == 200
    assert not [
        one for one in events_of(server, watcher.session) if one[0] in ("audit.verify", "account.disable")
    ]


def test_a_form_from_elsewhere_does_nothing(client: Client, look_in: LookIn) -> None:
    watcher, target = look_in(client.create_person(role="admin")), client.create_person()
    user = expect(client.me(target.access), 200)["id"]
    watcher.token = ""
    assert watcher.post(f"/console/people/{user}/disable/", reason="x").status_code == 403
    assert client.me(target.access).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_site_puts_words_into_the_log(
    server: Server, client: Client, look_in: LookIn, site: str
) -> None:
    watcher = look_in(client.create_person(role="admin"))
    watcher.get("/console/")
    before = events_of(server, watcher.session)
    plain = {
        "events/?q=planted": "events/", "events/export/?q=planted": "events/", "events/export/": "events/",
        f"events/{NOBODY}/proof/": f"events/{NOBODY}/", "detections/?rule=planted": "detections/",
        "people/?q=planted": "people/", "?span=planted": "",
    }  # fmt: skip
    for path, wanted in plain.items():
        answer = watcher.ask("GET", f"/console/{path}", headers={"Sec-Fetch-Site": site}).response
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/{wanted}"), path
    assert events_of(server, watcher.session) == before
    plain_page = watcher.ask("GET", "/console/events/", headers={"Sec-Fetch-Site": site}).response
    assert plain_page.status_code == 200
    watcher.cookies.pop("__Host-web")
    for path in ("/console/events/?q=planted", "/sign-in/?next=/console/events/%3Fq%3Dplanted"):
        answer = watcher.ask("GET", path, headers={"Sec-Fetch-Site": site}).response
        assert "planted" not in answer.text + answer.headers.get("Location", "")
