"""The pages for people, without scripts, on every database: the same accounts, sessions and events as the API's."""

import re
import secrets
from collections.abc import Callable

import pytest

from tests.authenticator import Mailbox
from tests.client import Client, Person, expect
from tests.passkeys import Passkey
from tests.server import Server
from tests.visitor import Visitor

NEW_PASSWORD = "another horse and battery 7"


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


def test_sign_up_leads_to_a_session_that_the_api_lists(visitor: Visitor, client: Client) -> None:
    person = visitor.sign_up()
    assert visitor.page.path == "/"
    assert len(set(person.recovery_codes)) == 10
    client.sign_in(person)
    listed = expect(client.get("sessions/", person.access), 200)["results"]
    assert visitor.cookies["__Host-web"].partition(".")[0] in [one["id"] for one in listed]


def test_each_refusal_has_its_status_and_keeps_what_was_typed(visitor: Visitor, person: Person) -> None:
    visitor.open("/sign-in/")
    page = visitor.fill(email=person.email, password="a wrong passphrase")
    assert (page.status, page.form("email").values["email"]) == (401, person.email)
    assert page.form("email").values["password"] == ""
    page = visitor.fill(email="", password="")
    assert page.status == 400
    page = visitor.fill(email="x\x00", password="\x00" * 8)
    assert page.status == 400
    visitor.open("/sign-up/")
    page = visitor.fill(email="no address", password="correct horse battery staple")
    assert (page.status, "One looks like name@example.org" in page.text) == (400, True)
    page = visitor.fill(email="somebody@example.org", password="password")
    assert (page.status, "attackers try first" in page.text) == (400, True)


@pytest.mark.parametrize(
    ("language", "advice"),
    [("en", "This is a top-10 common password."), ("de-AT", "Das ist eines der zehn häufigsten Passwörter.")],
)
def test_a_refused_password_is_advised_in_the_language_of_the_page(
    visitor: Visitor, person: Person, language: str, advice: str
) -> None:
    visitor.http.headers["Accept-Language"] = language
    visitor.open("/sign-up/")
    assert advice not in visitor.page.text
    page = visitor.fill(email="somebody@example.org", password="password")
    assert (page.status, advice in page.text) == (400, True)
    visitor.sign_in(person)
    visitor.open("/password/")
    page = visitor.fill(current_password=person.password, new_password="password")
    assert (page.status, advice in page.text) == (400, True)


def test_a_device_is_told_in_the_language_of_the_page(visitor: Visitor, person: Person) -> None:
    visitor.http.headers["User-Agent"] = (
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
    )
    visitor.sign_in(person)
    for language, words in (("en", "Firefox 143 on Linux"), ("de", "Firefox 143 auf Linux")):
        visitor.http.headers["Accept-Language"] = language
        for path in ("/", "/activity/"):
            assert words in visitor.open(path).text


def test_a_code_is_good_once_also_on_pages(visitor: Visitor, person: Person) -> None:
    code = person.code()
    visitor.prove_password(person)
    assert visitor.fill(code=code).path == "/"
    visitor.press("/sign-out/")
    visitor.prove_password(person)
    page = visitor.fill(code=code)
    assert (page.status, page.path) == (401, "/sign-in/code/")
    visitor.fill(code=person.code())
    assert "Failed sign-in: second step" in visitor.open("/activity/").text


def test_who_signs_out_in_a_second_tab_is_told_that_it_is_done(visitor: Visitor, person: Person) -> None:
    visitor.prove_password(person)
    visitor.open("/sign-in/code/?with=recovery_code")
    visitor.fill(code=person.recovery_codes.pop())
    second_tab = visitor.page.form_to("/sign-out/")
    visitor.press("/sign-out/")
    assert visitor.page.path == "/sign-in/"
    page = visitor.send(second_tab)
    assert (page.status, page.path) == (200, "/sign-in/")
    assert "You are signed out." in page.text
    elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert visitor.ask("POST", "/sign-out/", data=second_tab.values, headers=elsewhere).status == 403


def test_a_forgotten_password_is_reset_by_mail(visitor: Visitor, person: Person, server: Server) -> None:
    visitor.sign_in(person)
    visitor.open("/forgot/")
    assert visitor.fill(email=person.email).path == "/forgot/sent/"
    token = Mailbox(server.data_dir / "outbox", person.email).wait_for_token()
    visitor.open("/reset/")
    page = visitor.fill(token=token, new_password=NEW_PASSWORD)
    assert (page.path, "Your new password is set" in page.text) == ("/sign-in/", True)
    assert not visitor.is_signed_in  # a reset signs nobody in, and ends every session
    person.password = NEW_PASSWORD
    assert visitor.sign_in(person).path == "/"


@pytest.mark.parametrize(
    ("path", "name", "anew"),
    [
        ("/reset/", "new_password", "/forgot/"),
        ("/confirm/", "password", "/sign-up/"),
        ("/address/", "", "/address/change/"),
        ("/cancel-reset/", "", "/sign-in/"),
    ],
)
def test_a_dead_link_leads_to_where_a_new_one_is_asked_for(
    path: str, name: str, anew: str, visitor: Visitor
) -> None:
    assert f'href="{anew}"' not in visitor.open(path).response.text
    page = visitor.fill(token="0" * 64, **({name: NEW_PASSWORD} if name else {}))
    assert (page.status, f'href="{anew}"' in page.response.text) == (400, True)


def test_a_browser_that_keeps_no_cookies_is_told_so(visitor: Visitor, person: Person) -> None:
    visitor.open("/sign-in/")
    visitor.cookies.clear()
    page = visitor.fill(email=person.email, password=person.password)
    assert (page.status, "your browser keeps no cookies" in page.text) == (403, True)


def test_what_the_service_is_stands_in_its_start_page(visitor: Visitor) -> None:
    found = re.search(r'<meta name="description" content="([^"]+)">', visitor.open("/").response.text)
    assert found
    assert found[1].startswith("Sign in with your password")


def test_a_dead_link_that_cancels_a_reset_tells_of_no_new_one(visitor: Visitor) -> None:
    visitor.open("/cancel-reset/")
    text = visitor.fill(token="0" * 64).text
    assert "Sign in to see which." in text
    assert "Ask for a new one" not in text


def test_a_mailed_link_is_pasted_whole(visitor: Visitor, person: Person, server: Server) -> None:
    visitor.open("/forgot/")
    visitor.fill(email=person.email)
    token = Mailbox(server.data_dir / "outbox", person.email).wait_for_token()
    link = f"{server.origin}/reset/#token={token}"
    visitor.open("/reset/")
    page = visitor.fill(token=link, new_password="password")
    assert (page.status, page.form("token").values["token"]) == (400, link)
    assert visitor.fill(token=f" {link} ", new_password=NEW_PASSWORD).path == "/sign-in/"


def test_a_changed_password_ends_the_other_sessions(
    visitor: Visitor, new_visitor: Callable[..., Visitor], person: Person
) -> None:
    other = new_visitor()
    other.prove_password(person)
    other.open("/sign-in/code/?with=recovery_code")
    other.fill(code=person.recovery_codes.pop())
    visitor.sign_in(person)
    visitor.open("/password/")
    page = visitor.fill(current_password=person.password, new_password=NEW_PASSWORD)
    assert (page.path, "Your password is changed" in page.text) == ("/", True)
    assert "Your session has ended" in other.open("/").text
    assert visitor.is_signed_in


def test_a_factor_that_was_reset_is_bound_again_with_the_mailed_token(
    visitor: Visitor, person: Person, server: Server
) -> None:
    server.manage("reset_mfa", person.email)
    page = visitor.prove_password(person)
    assert page.path == "/enrol/", page.text
    page = visitor.fill(name="", token="")
    assert page.status == 400
    token = Mailbox(server.data_dir / "outbox", person.email).wait_for_token()
    assert visitor.enrol(person, token=token).path == "/"


def test_a_second_authenticator_is_added_and_the_last_one_stays(visitor: Visitor, person: Person) -> None:
    visitor.sign_in(person)
    visitor.open("/enrol/")
    second = Person(person.email)
    page = visitor.enrol(second)
    assert (page.path, "The authenticator is ready." in page.text) == ("/", True)
    for is_last in (False, True):
        found = visitor.open("/").response.text.partition("/authenticators/")[2][:36]
        page = visitor.open(f"/authenticators/{found}/remove/")
        assert ("This is your last authenticator" in page.text) == is_last
        if not is_last:
            assert page.text.count("Authenticator app") == 1  # no name, so its kind is one, and is told once
            assert visitor.press("").path == "/"


def test_activity_is_told_in_words(visitor: Visitor, person: Person) -> None:
    visitor.sign_in(person)
    page = visitor.open("/activity/")
    assert "Signed in" in page.text
    assert "Firefox 143" in page.text
    assert "An authenticator was added" in page.text
    assert "mfa." not in page.text
    assert visitor.open("/activity/?cursor=nonsense").status == 400


def test_looking_at_pages_keeps_a_session_from_idling_out(
    visitor: Visitor, person: Person, server: Server
) -> None:
    visitor.sign_in(person)
    session = visitor.cookies["__Host-web"].partition(".")[0]
    early = (
        "UPDATE secure_auth_session SET last_seen_at = created_at, idle_expires_at = expires_at WHERE id = %s"
    )
    server.rows(early.replace("created_at", "'2026-01-01 00:00:00'"), [session])
    visitor.open("/activity/")
    ((seen, idle, expires),) = server.rows(
        "SELECT last_seen_at, idle_expires_at, expires_at FROM secure_auth_session WHERE id = %s", [session]
    )
    assert str(seen) > "2026-01-02"
    assert str(idle) < str(expires)


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/activity/", "/nowhere/"])
def test_nothing_of_a_page_is_kept_or_framed_or_runs_elsewhere(visitor: Visitor, path: str) -> None:
    headers = visitor.ask("GET", path).headers
    assert headers["Cache-Control"] == "no-store"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert (policy["script-src"], policy["style-src"], policy["form-action"]) == ("'self'",) * 3
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")


def test_static_files_are_kept_under_names_that_tell_their_content(visitor: Visitor) -> None:
    text = visitor.open("/").response.text
    for suffix in (".css", ".js", ".svg"):
        path = next(part for part in text.split('"') if part.startswith("/static/") and part.endswith(suffix))
        assert visitor.ask("GET", path).headers["Cache-Control"] == "max-age=315360000, public, immutable"


def test_a_wrong_recovery_code_has_no_next_one_to_wait_for(visitor: Visitor, person: Person) -> None:
    visitor.prove_password(person)
    page = visitor.fill(code="000000")
    assert (page.status, "Wait for the next one" in page.text) == (401, True)
    visitor.open("/sign-in/code/?with=recovery_code")
    page = visitor.fill(code="ABCD-EFGH-IJKL-MNOP-QRST-UVWX")
    assert (page.status, "This recovery code is wrong" in page.text) == (401, True)
    assert "Wait for the next one" not in page.text


def test_the_session_of_the_browser_is_listed_however_many_are_newer(
    visitor: Visitor, person: Person, server: Server
) -> None:
    visitor.sign_in(person)
    own = visitor.cookies["__Host-web"].partition(".")[0]
    assert "Only the newest" not in visitor.open("/").text
    named = "SELECT name FROM pragma_table_info(%s)"
    if server.backend != "sqlite":
        named = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    columns = ", ".join(name for (name,) in server.rows(named, ("secure_auth_session",)) if name != "id")
    copied = columns.replace("created_at", "'2099-01-01 00:00:00+00'")
    for number in range(60):
        server.rows(
            f"INSERT INTO secure_auth_session (id, {columns}) "
            f"SELECT %s, {copied} FROM secure_auth_session WHERE id = %s",
            (f"copy-{number}-{own[:8]}", own),
        )
    page = visitor.open("/")
    assert "Only the newest 50 are shown" in page.text
    assert page.text.count("This device") == 1
    visitor.press("/sessions/end-others/")
    assert "Only the newest" not in visitor.page.text


def test_who_has_as_many_passkeys_as_they_may_is_told_of_passkeys(visitor: Visitor, person: Person) -> None:
    visitor.prove_password(person)
    visitor.open("/sign-in/code/?with=recovery_code")
    visitor.fill(code=person.recovery_codes.pop())
    for _ in range(20):
        visitor.add_passkey()
    visitor.open("/passkeys/new/")
    page = visitor.show(Passkey(visitor.server.origin).make(visitor.options("/passkeys/options/")), name="")
    assert (page.status, "You have as many passkeys as you may" in page.text) == (409, True)


@pytest.mark.parametrize(
    ("path", "typed"),
    [("/password/", {"new_password": NEW_PASSWORD}), ("/address/change/", {"new_email": "new@example.org"})],
)
def test_a_wrong_present_password_is_called_that(
    path: str, typed: dict[str, str], visitor: Visitor, person: Person
) -> None:
    visitor.sign_in(person)
    visitor.open(path)
    page = visitor.fill(current_password="a wrong passphrase", **typed)
    assert (page.status, "The present password is wrong." in page.text) == (401, True)
    for _ in range(5):
        page = visitor.fill(current_password="a wrong passphrase", **typed)
    assert (page.status, "There were too many wrong passwords. Try again in 15" in page.text) == (429, True)
    assert "Use a device" not in page.text


@pytest.mark.parametrize("path", ["/sign-in", "/console", "/password?next=/activity/"])
def test_a_page_without_its_last_slash_leads_there(visitor: Visitor, path: str) -> None:
    answer = visitor.http.get(path, headers={"Accept": "text/html"})
    bare, mark, query = path.partition("?")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{bare}/{mark}{query}")
    assert visitor.http.get("/nowhere", headers={"Accept": "text/html"}).status_code == 404
    assert visitor.http.get("/api/v1/me", headers={"Accept": "text/html"}).status_code == 404
    assert visitor.http.post(path, headers={"Accept": "text/html"}).status_code == 404


def test_who_is_locked_out_of_recovery_codes_is_not_sent_to_them(visitor: Visitor, person: Person) -> None:
    visitor.sign_in(person)
    visitor.open("/reauthenticate/?with=recovery_code")
    for _ in range(10):
        assert visitor.fill(code="ABCD-EFGH-IJKL-MNOP-QRST-UVWX").status == 401
    page = visitor.fill(code=person.recovery_codes[0])
    assert (page.status, "There were too many wrong recovery codes." in page.text) == (429, True)
    assert "A recovery code still works" not in page.text


def test_who_is_locked_out_of_codes_is_told_so_where_an_authenticator_is_bound(
    visitor: Visitor, person: Person
) -> None:
    """No reset of the password opens this lock."""
    visitor.sign_in(person)
    page = visitor.open("/enrol/")
    for number in range(10):
        if number in (0, 5):  # as many as one authenticator takes
            visitor.open("/enrol/")
            visitor.fill(name="")
        page = visitor.fill(code="000000")
    visitor.open("/enrol/")
    page = visitor.fill(name="")
    assert (page.status, "A recovery code still works" in page.text) == (429, True)
    visitor.open("/passkeys/new/")
    page = visitor.show({}, name="")
    assert "reset the password" not in page.text


@pytest.mark.parametrize("typed", ["Müller-{}@xn--bcher-kva.example", "mu\u0308ller-{}@BÜCHER.example"])
def test_the_address_that_ends_an_account_is_taken_in_every_spelling_that_opens_it(
    visitor: Visitor, client: Client, typed: str
) -> None:
    mark = secrets.token_hex(4)
    person = client.create_person(email=f"müller-{mark}@bücher.example")
    visitor.sign_in(person)
    visitor.open("/account/delete/")
    page = visitor.fill(email=f"muller-{mark}@bücher.example", current_password=person.password)
    assert (page.status, "not the address of your account" in page.text) == (400, True)
    assert visitor.fill(email=typed.format(mark), current_password=person.password).path == "/sign-in/"
    assert "is deleted" in visitor.page.text


def test_a_form_that_comes_after_the_proof_grew_old_is_told_to_have_done_nothing(
    visitor: Visitor, person: Person, server: Server
) -> None:
    visitor.sign_in(person)
    visitor.open("/password/")
    server.rows(
        "UPDATE secure_auth_session SET auth_time = '2026-01-01 00:00:00+00:00' WHERE id = %s",
        [visitor.cookies["__Host-web"].partition(".")[0]],
    )
    page = visitor.fill(current_password=person.password, new_password=NEW_PASSWORD)
    assert (page.path, "Nothing was done yet" in page.text) == ("/reauthenticate/", True)
    page = visitor.open("/password/")
    assert (page.path, "Nothing was done yet" in page.text) == ("/reauthenticate/", False)
