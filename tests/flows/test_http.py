"""Conventions of every answer: problems, headers, request ids, limits, CORS, caching, probes."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.problems import STATUS, problem
from tests.server import Server, running_server

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PATHS = [
    "/",
    "/api/v1/me/",
    "/api/v1/nowhere/",
    "/healthz",
    "/readyz",
    "/problems/",
    "/.well-known/jwks.json",
]
PAGES = ("/", "/problems/")
PATHS += ["/.well-known/security.txt", "/.well-known/webauthn", "/api/schema/", "/api/docs/"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_security_headers(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (200, 401, 404)
    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    # Under no-referrer a form would come from the origin "null".
    assert headers["Referrer-Policy"] == ("same-origin" if path in PAGES else "no-referrer")
    assert (
        "default-src 'none'" in headers["Content-Security-Policy"]
        or "default-src 'self'" in headers["Content-Security-Policy"]
    )
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert headers["X-Request-ID"]
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers
    assert ("Set-Cookie" in headers) == (path in PAGES)  # what a page's forms are bound to


def test_no_origin_is_allowed_by_default(client: Client) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": client.server.origin}):
        response = client.get("me/", headers=headers)
        assert not [name for name in response.headers if name.startswith("access-control-")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = client.request("OPTIONS", "login/", headers=asked)
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


def test_valid_request_id_is_kept_and_any_other_replaced(client: Client) -> None:
    for given in ("a", "A-b_c.9", "x" * 128):
        response = client.get("me/", headers={"X-Request-ID": given})
        assert response.headers["X-Request-ID"] == problem(response)["request_id"] == given
    for foreign in (b"", b"x" * 129, b"a b", b"a/b", "ä".encode(), b"a,b"):
        ours = client.get("me/", headers={"X-Request-ID": foreign}).headers["X-Request-ID"]
        assert UUID7.fullmatch(ours)
    assert client.get("me/").headers["X-Request-ID"] != client.get("me/").headers["X-Request-ID"]


def test_personal_answers_are_not_stored(client: Client) -> None:
    person = client.sign_up()
    for path in ("me/", "mfa/", "sessions/", "devices/", "me/activity/"):
        assert "no-store" in client.get(path, person.access).headers["Cache-Control"]
    assert "no-store" in client.refresh(person.refresh).headers["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("login/", "POST"),
        ("login/verify/", "POST"),
        ("register/", "POST"),
        ("token/refresh/", "POST"),
        ("logout/", "POST"),
        ("me/", "GET, DELETE, HEAD"),
        ("mfa/", "GET, HEAD"),
        ("mfa/00000000-0000-7000-8000-000000000000/", "PATCH, DELETE"),
        ("mfa/webauthn/", "POST"),
        ("login/webauthn/options/", "POST"),
        ("sessions/", "GET, DELETE, HEAD"),
        ("audit/events/", "GET, HEAD"),
        ("/.well-known/jwks.json", "GET, HEAD"),
        ("/.well-known/webauthn", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
    ],
)
def test_wrong_method_is_told_the_right_ones(client: Client, path: str, allowed: str) -> None:
    response = client.request("PUT", path)
    problem(response, "method_not_allowed")
    assert sorted(response.headers["Allow"].split(", ")) == sorted(allowed.split(", "))


def test_head_is_answered_like_get_without_a_body(client: Client) -> None:
    person = client.sign_up()
    response = client.request("HEAD", "me/", person.access)
    assert (response.status_code, response.content) == (200, b"")
    assert client.request("HEAD", "me/").status_code == 401


@pytest.mark.parametrize("code", STATUS)
def test_type_of_a_problem_is_a_page_for_people(client: Client, code: str) -> None:
    response = client.get(f"/problems/{code}/")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")


def test_unknown_problem_is_not_found(client: Client) -> None:
    answer = client.get("/problems/nothing/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_limited_answers_tell_what_is_left(client: Client) -> None:
    first, second = client.get("me/"), client.get("me/")
    assert first.headers["RateLimit-Policy"] == '"requests";q=600;w=61'
    told = [re.findall(r'"requests";r=(\d+);t=(\d+)', one.headers["RateLimit"])[0] for one in (first, second)]
    assert [int(left) for left, _ in told] == [599, 598]
    assert all(60 <= int(seconds) <= 61 for _, seconds in told)
    login = client.login(Person(new_email()))
    assert login.headers["RateLimit-Policy"] == '"password_source";q=30;w=60'
    assert "RateLimit" not in client.get("/healthz").headers


def test_probes_answer(server: Server, client: Client) -> None:
    assert expect(client.get("/healthz"), 200) == {"status": "ok"}
    ready = expect(client.get("/readyz"), 200)
    assert ready["status"] == "ready"
    assert set(ready["checks"]) == {"database", *(["redis"] if "redis" in server.backend else [])}
    assert set(ready["checks"].values()) == {"ok"}


def test_metrics_without_a_token_set_are_an_unknown_address(client: Client) -> None:
    for method in ("GET", "POST"):
        answers = [client.request(method, path, "some token of sixteen") for path in ("/metrics", "/nowhere")]
        told = [problem(answer, "not_found") for answer in answers]
        assert {**told[0], "request_id": ""} == {**told[1], "request_id": ""}
        assert answers[0].headers.keys() == answers[1].headers.keys()


def test_foreign_host_is_refused(client: Client) -> None:
    problem(client.get("/", headers={"Host": "evil.example"}), "validation_failed")


def test_security_txt_names_a_contact(client: Client) -> None:
    text = client.get("/.well-known/security.txt").text
    assert "Contact: mailto:" in text
    assert "Expires: " in text


def test_password_managers_find_where_the_password_is_changed(client: Client) -> None:
    """W3C, A Well-Known URL for Changing Passwords: a redirect; section 2.2 demands an honest 404 for nonsense too."""
    led = client.get("/.well-known/change-password")
    assert (led.status_code, led.headers["Location"]) == (302, "/password/")
    page = client.get(led.headers["Location"])
    assert (page.status_code, page.headers["Location"]) == (303, "/sign-in/?next=%2Fpassword%2F")
    nonsense = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert client.get(nonsense).status_code == 404


def test_nothing_signs_in_with_a_password_alone(client: Client) -> None:
    for path in ("/admin/", "/admin/login/", "/accounts/login/", "/api-auth/login/", "/api/token/"):
        problem(client.get(path), "not_found")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with tight limits and no trusted proxy, which shares its API with one other origin."""
    settings = {
        "LIMIT_REQUESTS": "20",
        "LIMIT_MAIL_SOURCE": "1",
        "TRUSTED_PROXIES": "",
        "CORS_ORIGINS": "https://app.example.org",
    }
    with running_server("sqlite", tmp_path_factory.mktemp("strict"), environment=settings) as server:
        yield server


@pytest.fixture(scope="module")
def strict_few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that takes few requests, and shares its API with one other origin."""
    settings = {"LIMIT_REQUESTS": "5", "CORS_ORIGINS": "https://app.example.org"}
    with running_server(
        "sqlite", tmp_path_factory.mktemp("few"), worker=False, environment=settings
    ) as server:
        yield server


@pytest.mark.xdist_group("sqlite")
class TestStrict:
    """The order matters little: the last test uses up what the others need."""

    def test_named_origin_is_allowed_and_no_other(self, strict: Server) -> None:
        client = Client(strict, new_address())
        allowed = client.get("me/", headers={"Origin": "https://app.example.org"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        other = client.get("me/", headers={"Origin": "https://app.example.org.evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        client.close()

    @pytest.mark.parametrize("path", ["nowhere/", "login/"])
    def test_named_origin_reads_every_refusal_of_a_rate(self, strict_few: Server, path: str) -> None:
        """Neither is counted before it is refused for something else."""
        client = Client(strict_few, new_address())
        origin = {"Origin": "https://app.example.org"}
        answers = [client.post(path, {}, headers=origin) for _ in range(6)]
        client.close()
        problem(answers[-1], "rate_limited")
        assert answers[-1].headers["Access-Control-Allow-Origin"] == origin["Origin"]
        assert "retry-after" in answers[-1].headers["Access-Control-Expose-Headers"]
        assert "origin" in answers[-1].headers["Vary"]

    def test_forwarded_headers_of_strangers_are_a_warning(self, strict: Server) -> None:
        client = Client(strict, new_address())
        assert expect(client.get("/readyz"), 200)["warnings"]
        client.close()

    def test_mail_limit_of_a_source_refuses_openly(self, strict: Server) -> None:
        client = Client(strict, new_address())
        expect(client.register(Person(new_email())), 202)
        response = client.register(Person(new_email()))
        problem(response, "rate_limited")
        assert "mail_source" in response.headers["RateLimit-Policy"]
        client.close()

    def test_used_up_limit_answers_429_whoever_one_claims_to_be(self, strict: Server) -> None:
        clients = [Client(strict, new_address()) for _ in range(3)]
        answers = [clients[turn % 3].get("me/") for turn in range(30)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 10
        for answer in refused:
            problem(answer, "rate_limited")
            assert ";r=0;" in answer.headers["RateLimit"]
        assert clients[0].get("/healthz").status_code == 200
        for client in clients:
            client.close()


def test_schema_and_its_page_load_nothing_from_elsewhere(client: Client) -> None:
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/").text
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_known_and_unknown_new_addresses_answer_alike(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person = client.sign_up()
    answers = [new_client().login(one, "wrong password 1234") for one in (person, Person(new_email()))]
    heads = [{name for name in answer.headers if name != "date"} for answer in answers]
    assert heads[0] == heads[1]
