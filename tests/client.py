"""A client that speaks both login steps over HTTP, as a program of somebody else would."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.authenticator import Authenticator, Mailbox
from tests.server import TLS, Server

PASSWORD = "correct horse battery staple 42"


@dataclass
class Person:
    """Somebody with an account: what they know, and what they hold."""

    email: str
    password: str = PASSWORD
    authenticator: Authenticator | None = None
    recovery_codes: list[str] = field(default_factory=list)
    access: str = ""
    refresh: str = ""
    session_id: str = ""
    device_token: str = ""

    def code(self) -> str:
        """The authenticator's next code."""
        assert self.authenticator, f"{self.email} has no authenticator yet"
        return self.authenticator.code()

    def keep(self, pair: dict[str, Any]) -> None:
        """Remember a token pair."""
        self.access, self.refresh = pair["access"], pair["refresh"]
        self.session_id = pair.get("session_id", self.session_id)
        self.device_token = pair.get("device_token", self.device_token)


def new_email(name: str = "person") -> str:
    return f"{name}-{secrets.token_hex(5)}@example.org"


class Client:
    """One program at one source address.

    Methods named for an endpoint return the response as it came; `sign_up`, `enrol` and `sign_in` go whole
    ways and raise AssertionError with the answer where one is refused.
    """

    def __init__(self, server: Server, address: str, *, node: int = 0) -> None:
        self.server = server
        self.address = address
        self.http = httpx.Client(
            base_url=server.nodes[node].url,
            headers={"X-Forwarded-For": address, "Host": server.origin.partition("://")[2]},
            timeout=60,
            trust_env=False,
            verify=TLS,
        )

    def close(self) -> None:
        self.http.close()

    def request(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        """`path` below /api/v1/, or from the root when it begins with a slash."""
        headers = dict(options.pop("headers", None) or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = path if path.startswith("/") else f"/api/v1/{path}"
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, token: str = "", **options: Any) -> httpx.Response:
        return self.request("GET", path, token, **options)

    def post(self, path: str, body: Any = None, token: str = "", **options: Any) -> httpx.Response:
        """`body` is sent as JSON; None sends no body."""
        if body is not None:
            options["json"] = body
        return self.request("POST", path, token, **options)

    def delete(self, path: str, token: str = "", **options: Any) -> httpx.Response:
        return self.request("DELETE", path, token, **options)

    # One request each

    def register(self, person: Person) -> httpx.Response:
        return self.post("register/", {"email": person.email, "password": person.password})

    def confirm(self, token: str, password: str) -> httpx.Response:
        return self.post("register/confirm/", {"token": token, "password": password})

    def login(self, person: Person, password: str | None = None, **options: Any) -> httpx.Response:
        body = {"email": person.email, "password": person.password if password is None else password}
        if person.device_token and "headers" not in options:
            options["headers"] = {"X-Device-Token": person.device_token}
        return self.post("login/", body, **options)

    def verify(self, partial: str, code: str, method: str = "totp", **extra: Any) -> httpx.Response:
        return self.post("login/verify/", {"method": method, "code": code, **extra}, partial)

    def refresh(self, token: str, *, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.post("token/refresh/", {"refresh": token}, headers=headers)

    def me(self, access: str) -> httpx.Response:
        return self.get("me/", access)

    # Whole ways

    def mailbox(self, person: Person) -> Mailbox:
        return Mailbox(self.server.data_dir / "outbox", person.email)

    def sign_up(self, person: Person | None = None) -> Person:
        """Register, follow the mailed link, enrol, and be signed in."""
        person = person or Person(new_email())
        expect(self.register(person), 202)
        token = self.mailbox(person).wait_for_token()
        partial = expect(self.confirm(token, person.password), 200)["partial_token"]
        return self.enrol(person, partial)

    def enrol(self, person: Person, bearer: str, **begin: Any) -> Person:
        """Bind an authenticator with a partial token or a fresh access token."""
        begun = expect(self.post("mfa/totp/", begin, bearer), 201)
        person.authenticator = Authenticator(begun["secret"])
        answer = expect(self.post(f"mfa/totp/{begun['id']}/confirm/", {"code": person.code()}, bearer), 200)
        person.recovery_codes = answer["recovery_codes"] or person.recovery_codes
        if "access" in answer:
            person.keep(answer)
        return person

    def sign_in(self, person: Person, **verify: Any) -> Person:
        """Both steps with the authenticator; enrols a first one where the account has none."""
        answer = expect(self.login(person), 200)
        if answer["next"] == "enroll":
            return self.enrol(person, answer["partial_token"])
        person.keep(expect(self.verify(answer["partial_token"], person.code(), **verify), 200))
        return person

    def recover(self, person: Person, **verify: Any) -> dict[str, Any]:
        """Both steps with a recovery code, which need not wait for the clock as a fourth TOTP must; the pair."""
        partial = expect(self.login(person), 200)["partial_token"]
        pair: dict[str, Any] = expect(
            self.verify(partial, person.recovery_codes.pop(), "recovery_code", **verify), 200
        )
        person.keep(pair)
        return pair

    def create_person(self, *, role: str = "", email: str = "") -> Person:
        """A signed-in user made by command: no mail, and a role if wanted."""
        person = Person(email or new_email(role or "person"))
        self.server.create_user(person.email, person.password, role=role)
        return self.sign_in(person)


def expect(response: httpx.Response, status: int) -> Any:
    """The JSON of an answer with this status; AssertionError shows what came instead."""
    request = f"{response.request.method} {response.request.url.path}"
    assert response.status_code == status, f"{request}: {response.status_code} {response.text[:500]}"
    return response.json() if response.content else None


def code_of(response: httpx.Response) -> str:
    """The problem document's code; fails when the answer is none."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text[:500]
    return str(response.json()["code"])
