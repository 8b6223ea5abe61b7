"""What admins do by the pages of the console: each action has a button, and true words for what came of it."""

import re
from collections.abc import Iterator

import pytest

from tests.client import Client, expect
from tests.detecting import wait_for_detection
from tests.server import TESTED_BACKENDS, Server, running_server
from tests.watcher import LookIn, Watcher, age, events_of

EVERY_ACTION = {
    "unlock", "revoke-sessions", "reset-mfa", "cancel-reset-mfa", "disable", "enable", "require-password-change",
}  # fmt: skip


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, where a reset takes effect at once."""
    environment = {"RESET_MFA_DELAY_SECONDS": "7200"}
    directory = tmp_path_factory.mktemp("actions")
    with running_server(request.param, directory, environment=environment) as running:
        yield running


@pytest.fixture
def watcher(client: Client, look_in: LookIn) -> Watcher:
    return look_in(client.create_person(role="admin"))


@pytest.fixture
def user(client: Client) -> str:
    return str(expect(client.me(client.create_person().access), 200)["id"])


def do(watcher: Watcher, user: str, action: str) -> str:
    """Act by the form of the account's page, and the page that follows."""
    watcher.get(f"/console/people/{user}/")
    answer = watcher.post(f"/console/people/{user}/{action}/", reason=f"why {action}")
    assert answer.headers["Location"] == f"/console/people/{user}/"
    return watcher.get(f"/console/people/{user}/").text


def buttons(page: str) -> set[str]:
    return set(re.findall(r'formaction="/console/people/[^/]+/([a-z-]+)/"', page))


def test_every_action_has_its_button(watcher: Watcher, user: str) -> None:
    found = buttons(watcher.get(f"/console/people/{user}/").text)
    found |= buttons(do(watcher, user, "reset-mfa"))
    found |= buttons(do(watcher, user, "disable"))
    assert found == EVERY_ACTION


def test_a_reset_that_waits_is_shown_and_cancelled(server: Server, watcher: Watcher, user: str) -> None:
    page = do(watcher, user, "reset-mfa")
    assert "Nothing is removed yet: the reset waits" in page
    assert "The second factor is reset" not in page
    ((asked, due),) = server.rows(
        "SELECT created_at, effective_at FROM secure_auth_factorreset WHERE user_id = %s", [user]
    )
    assert f"waits, since {str(asked)[:16]}, until {str(due)[:16]}" in page
    page = do(watcher, user, "cancel-reset-mfa")
    assert '<p class="notice" role="status">The reset is cancelled.' in page
    assert "cancel-reset-mfa" not in buttons(page)
    assert ("mfa.reset_cancel", "success", "by_admin") in events_of(server, watcher.session)
    answer = watcher.post(f"/console/people/{user}/cancel-reset-mfa/", reason="why it is cancelled")
    assert answer.status_code == 400
    assert "<p>Nothing was done: no reset is waiting.</p>" in answer.text
    assert "why it is cancelled</textarea>" in answer.text


def test_what_was_not_done_is_told_with_its_cause(watcher: Watcher, user: str) -> None:
    for action, told in {
        "reset-mfa": "a reset is waiting already",
        "disable": "the account is in that state already",
    }.items():
        do(watcher, user, action)
        answer = watcher.post(f"/console/people/{user}/{action}/", reason=f"{action} again")
        assert f"<p>Nothing was done: {told}.</p>" in answer.text
        assert f"{action} again</textarea>" in answer.text


def test_a_required_change_of_the_password_is_shown(watcher: Watcher, user: str) -> None:
    page = do(watcher, user, "require-password-change")
    assert "The account must change its password" in page
    assert "must be changed, since 20" in page
    assert "require-password-change" not in buttons(page)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b"])
def test_a_reason_that_is_not_taken_keeps_the_page(watcher: Watcher, user: str, reason: str) -> None:
    watcher.get(f"/console/people/{user}/")
    answer = watcher.post(f"/console/people/{user}/unlock/", reason=reason)
    assert answer.status_code == 400
    assert buttons(answer.text)
    assert re.search(
        r'<textarea id="reason"[^>]* aria-invalid="true"[^>]*aria-describedby="reason-told"', answer.text
    )
    assert re.search(r'id="reason-told"><p class="fault">', answer.text)
    assert (
        f'next=/console/people/{user}/"' in answer.text
    )  # the choice of a language leads to what can be opened


def test_an_empty_note_keeps_the_page(client: Client, look_in: LookIn) -> None:
    auditor, person = client.create_person(role="auditor"), client.create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    assert client.refresh(stolen).status_code == 401
    found = wait_for_detection(client, auditor, "refresh_reuse", session=person.session_id)
    watcher, path = look_in(auditor), f"/console/detections/{found['id']}/"
    assert "two parties hold it" in watcher.get(path).text
    german = watcher.ask("GET", path, headers={"Accept-Language": "de"}).text
    assert "Refresh-Token noch einmal benutzt" in german
    assert "Zwei Seiten haben es" in german
    listed = watcher.ask("GET", "/console/detections/?state=open", headers={"Accept-Language": "de"})
    assert '<option value="open" selected>offen</option>' in listed.response.text
    watcher.get(path)
    answer = watcher.post(f"{path}acknowledge/", note=" ")
    assert answer.status_code == 400
    assert re.search(r'id="note-told"><p class="fault">', answer.text)
    assert f'action="{path}acknowledge/"' in answer.text


def test_a_detection_tells_what_its_events_are(server: Server, client: Client, look_in: LookIn) -> None:
    auditor, person = client.create_person(role="auditor"), client.create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    client.refresh(stolen)
    found = wait_for_detection(client, auditor, "refresh_reuse", session=person.session_id)
    page = look_in(auditor).get(f"/console/detections/{found['id']}/").text
    _, _, evidence = page.partition('<ol class="timeline">')
    assert found["events"]
    for event in found["events"]:
        ((type_, ip),) = server.rows(
            "SELECT e.type, p.ip FROM audit_event e JOIN audit_personaldata p ON p.event = e.id WHERE e.id = %s",
            [event],
        )
        shown = rf'<a href="/console/events/{event}/">{type_}</a>.*?outcome-failure.*?{re.escape(ip)}.*?severity-high'
        assert re.search(shown, evidence)


def test_a_reason_outlives_a_factor_that_grew_old(server: Server, client: Client, look_in: LookIn) -> None:
    admin = client.create_person(role="admin")
    user = str(expect(client.me(client.create_person().access), 200)["id"])
    watcher, reason = look_in(admin), 'left "us" <today>\nsee #4711'
    watcher.get(f"/console/people/{user}/")
    age(server, watcher.session)
    told = server.logs().count("4711")
    page = watcher.send(watcher.page.form_to(f"/console/people/{user}/unlock/"), reason=reason)
    assert (page.status, page.form("code", "reason").values["reason"]) == (401, reason)
    page = watcher.fill(code="000000")
    assert (page.status, page.form("code", "reason").values["reason"]) == (401, reason)
    assert ("account.unlock", "success", "by_admin") not in events_of(server, watcher.session)
    assert server.logs().count("4711") == told
    assert not [value for value in watcher.cookies.values() if "4711" in value]
    (other_way,) = [form for form in page.reader.forms if form.action == "?with=recovery_code"]
    page = watcher.send(other_way)
    assert page.form("code", "reason").values["reason"] == reason
    before = watcher.cookies["__Host-web"]
    page = watcher.fill(code=admin.recovery_codes.pop())
    assert (page.status, page.path) == (200, f"/console/people/{user}/")
    assert "The account is unlocked." in page.text
    assert ("account.unlock", "success", "by_admin") in events_of(server, watcher.session)
    assert watcher.cookies["__Host-web"] != before
    ((event,),) = server.rows(
        "SELECT event FROM audit_personaldata WHERE CAST(text AS text) LIKE %s", ["%4711%"]
    )
    assert server.logs(event).count("4711") == told + 1  # the event's own line
    notes = server.rows("SELECT text FROM audit_personaldata WHERE text IS NOT NULL")
    assert sum("4711" in str(row[0]) for row in notes) == 1
    watcher.cookies["__Host-web"] = before  # a copy that was taken before does not become fresh with it
    assert watcher.open("/console/").path == "/sign-in/"


def test_what_is_wrong_with_kept_words_is_told_after_the_proof(
    server: Server, client: Client, look_in: LookIn
) -> None:
    admin = client.create_person(role="admin")
    user = str(expect(client.me(client.create_person().access), 200)["id"])
    watcher = look_in(admin)
    watcher.get(f"/console/people/{user}/")
    age(server, watcher.session, visit=False)
    watcher.post(f"/console/people/{user}/disable/?with=recovery_code", reason="x" * 501)
    page = watcher.fill(code=admin.recovery_codes.pop())
    assert (page.status, 'id="reason-told"><p class="fault">' in page.response.text) == (400, True)
    assert watcher.open(f"/console/people/{user}/").path == f"/console/people/{user}/"  # with the new handle


def test_a_disabled_account_and_a_locked_one_have_different_words_in_german(
    watcher: Watcher, user: str
) -> None:
    do(watcher, user, "disable")
    german = watcher.ask("GET", f"/console/people/{user}/", headers={"Accept-Language": "de"}).text
    assert all(word in german for word in ("deaktiviert", "Aktivieren", "Entsperren"))
    assert "gesperrt" not in german
