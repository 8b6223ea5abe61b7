"""The button of the second step is pressed twice where there are no scripts: what the second request finds.

The browser drops the body of the first answer, and its cookies too where they had not come yet.
"""

from collections.abc import Callable

import pytest

from tests.attacks.evidence import events, live_sessions
from tests.authenticator import Mailbox
from tests.client import Client, Person, expect, new_email
from tests.server import Server
from tests.visitor import Form, Page, Visitor

KIND = "You may be signed in already, if you pressed the button twice;"
Filled = tuple[Form, str, dict[str, str]]


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


def fill_in(visitor: Visitor, person: Person, *, then: str = "") -> Filled:
    """The form of the second step, the code typed into it, and the cookies that go with it."""
    visitor.prove_password(person, then=then)
    return visitor.page.form("code"), person.code(), dict(visitor.cookies)


def press(visitor: Visitor, filled: Filled, cookies: dict[str, str] | None = None) -> Page:
    """Press the button, with these cookies; where it leads."""
    form, code, _ = filled
    if cookies is not None:
        visitor.cookies = dict(cookies)
    return visitor.ask("POST", "/sign-in/code/?next=/activity/", data={**form.values, "code": code})


def denials(server: Server, user_id: str) -> list[str]:
    return [event.reason for event in events(server, type="permission.denied", user=user_id)]


def user_id(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def test_a_second_click_leads_where_the_first_led(
    visitor: Visitor, person: Person, client: Client, server: Server
) -> None:
    user = user_id(client, person)
    before = live_sessions(server, user)
    filled = fill_in(visitor, person, then="/activity/")
    first = press(visitor, filled)
    handle = visitor.cookies["__Host-web"]
    second = press(visitor, filled)
    assert (first.status, second.status) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"] == "/activity/"
    assert visitor.cookies["__Host-web"] == handle
    page = visitor.open("/activity/")
    assert (page.path, "Welcome. You are signed in." in page.text) == ("/activity/", True)
    assert len(live_sessions(server, user) - before) == 1
    assert denials(server, user) == []


def test_a_passkey_asked_for_after_another_tab_signed_in_is_led_on(
    visitor: Visitor, person: Person, client: Client, server: Server
) -> None:
    """As the code is: no form of another site, and none that says so."""
    filled = fill_in(visitor, person)
    press(visitor, filled)
    asked = visitor.ask("POST", "/sign-in/passkey/", data={"form_token": filled[0].values["form_token"]})
    assert (asked.status, asked.headers.get("Location")) == (303, "/")
    assert denials(server, user_id(client, person)) == []


def test_a_replayed_request_opens_nothing_and_is_told_kindly(
    visitor: Visitor, person: Person, client: Client, server: Server
) -> None:
    user = user_id(client, person)
    before = live_sessions(server, user)
    filled = fill_in(visitor, person)
    press(visitor, filled)
    second = press(visitor, filled, filled[2])  # the cookies of the first answer never came
    assert (second.status, second.headers["Location"]) == (303, "/sign-in/?next=%2Factivity%2F")
    assert "__Host-web" not in visitor.cookies
    assert "__Host-once" not in visitor.cookies
    page = visitor.open(second.headers["Location"])
    assert (KIND in page.text, 'href="/">See whether you are signed in' in page.response.text) == (True, True)
    assert "__Host-web" not in visitor.cookies
    assert len(live_sessions(server, user) - before) == 1
    assert KIND not in visitor.open("/sign-in/").text


def test_cookies_that_came_after_the_second_click_was_sent_count(visitor: Visitor, person: Person) -> None:
    filled = fill_in(visitor, person)
    press(visitor, filled)
    handle = visitor.cookies["__Host-web"]
    second = press(visitor, filled, filled[2])
    visitor.cookies["__Host-web"] = handle
    page = visitor.open(second.headers["Location"])
    assert (page.path, KIND in page.text, "Welcome." in page.text) == ("/activity/", False, True)


def test_a_second_click_on_a_confirmation_is_told_and_signs_nobody_out(
    visitor: Visitor, person: Person, client: Client, server: Server
) -> None:
    """Proving a factor replaces the handle that the second request still bears."""
    visitor.sign_in(person)
    form, path = visitor.open("/reauthenticate/").form("code"), "/reauthenticate/"
    body, cookies = {**form.values, "code": person.code()}, dict(visitor.cookies)
    first = visitor.ask("POST", path, data=body)
    handle = visitor.cookies["__Host-web"]
    assert (first.status, handle != cookies["__Host-web"]) == (303, True)
    visitor.cookies = dict(cookies)
    second = visitor.ask("POST", path, data=body)
    assert (second.status, second.headers["Location"]) == (303, "/")
    assert visitor.cookies["__Host-web"] == cookies["__Host-web"], "nothing is handed out for an old handle"
    assert "Sign out" not in visitor.open("/").text
    second = visitor.ask("POST", path, data=body)
    visitor.cookies["__Host-web"] = handle
    page = visitor.open("/").text
    assert ("Look whether it is done already." in page, "Sign out" in page) == (True, True)
    assert denials(server, user_id(client, person)) == []


def test_in_german(visitor: Visitor, person: Person) -> None:
    visitor.http.headers["Accept-Language"] = "de"
    filled = fill_in(visitor, person)
    press(visitor, filled)
    second = press(visitor, filled, filled[2])
    assert "Vielleicht sind Sie schon angemeldet" in visitor.open(second.headers["Location"]).text


def test_a_form_that_is_no_second_click_is_refused_as_before(
    visitor: Visitor, new_visitor: Callable[..., Visitor], person: Person, client: Client, server: Server
) -> None:
    """The form of another browser; one of this browser beside which another login is under way; a forged origin."""
    filled = fill_in(visitor, person)
    press(visitor, filled)
    other = new_visitor()
    other.open("/sign-in/")
    foreign = {"form_token": other.page.form("email").values["form_token"], "code": "000000"}
    assert visitor.ask("POST", "/sign-in/code/", data=foreign).status == 403
    elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    form = filled[0]
    assert visitor.ask("POST", "/sign-in/code/", data=form.values, headers=elsewhere).status == 403
    visitor.cookies["__Host-login"] = filled[2]["__Host-login"]
    assert press(visitor, filled).status == 403
    del visitor.cookies["__Host-login"]
    session = visitor.cookies["__Host-web"].partition(".")[0]
    server.rows(
        "UPDATE secure_auth_session SET created_at = '2026-01-01 00:00:00+00:00' WHERE id = %s", [session]
    )
    assert press(visitor, filled).status == 403
    assert "csrf" in denials(server, user_id(client, person))


def test_a_second_click_that_begins_an_account_leads_to_its_enrolment(
    visitor: Visitor, server: Server
) -> None:
    newcomer = Person(new_email())
    visitor.open("/sign-up/")
    visitor.fill(email=newcomer.email, password=newcomer.password)
    token = Mailbox(server.data_dir / "outbox", newcomer.email).wait_for_token()
    sent = {**visitor.open("/confirm/").form("token").values, "token": token, "password": newcomer.password}
    before = dict(visitor.cookies)
    for _ in range(2):
        answer = visitor.ask("POST", "/confirm/", data=sent)
        assert (answer.status, answer.headers["Location"]) == (303, "/enrol/")
    begun, visitor.cookies = dict(visitor.cookies), before
    assert visitor.ask("POST", "/confirm/", data=sent).status == 400  # nobody's cookie: the link is used
    visitor.cookies = begun
    visitor.open("/enrol/")
    visitor.enrol(newcomer)
    assert newcomer.email in visitor.open("/").text
