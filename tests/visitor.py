"""A browser without JavaScript: keeps cookies as one does, fills in the forms of a page, and follows where it leads."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.authenticator import Authenticator, Mailbox
from tests.client import Person, new_email
from tests.passkeys import Passkey
from tests.server import TLS, Server


@dataclass
class Form:
    """A form: where it goes, and what it sends when nobody types."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Reader(HTMLParser):
    """The forms, the words and the key of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self.by_id: dict[str, str] = {}
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._id = found.get("id", "")
        if tag == "form":
            self.forms.append(Form(found.get("action", "")))
        elif tag == "input" and self.forms and "name" in found:
            self.forms[-1].names.add(found["name"])
            if found.get("type") != "checkbox":
                self.forms[-1].values[found["name"]] = found.get("value", "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._id:
            self.by_id[self._id] = self.by_id.get(self._id, "") + data


class Page:
    """An answer, read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status, self.headers = response.status_code, response.headers
        self.path = urlsplit(str(response.url)).path
        self.query = parse_qs(urlsplit(str(response.url)).query)
        self.reader = Reader()
        self.reader.feed(response.text)
        self.text = " ".join(" ".join(self.reader.words).split())

    def form(self, *names: str) -> Form:
        """The one form that has all these fields."""
        found = [one for one in self.reader.forms if set(names) <= one.names]
        assert found, f"no form with {names} at {self.path} ({self.status}): {self.text[:300]}"
        return found[0]

    def form_to(self, action: str) -> Form:
        """The form that goes there."""
        found = [one for one in self.reader.forms if one.action.partition("?")[0] == action]
        assert found, f"no form to {action} at {self.path} ({self.status}): {self.text[:300]}"
        return found[0]


class Visitor:
    """Somebody with a browser at one source address. `page` is what they look at."""

    def __init__(self, server: Server, address: str, *, agent: str = "Mozilla/5.0 Firefox/143.0") -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        self.http = httpx.Client(
            base_url=server.url,
            headers={
                "X-Forwarded-For": address,
                "Host": server.origin.partition("://")[2],
                "User-Agent": agent,
                "Accept": "text/html",
            },
            timeout=60,
            trust_env=False,
            verify=TLS,
        )
        self.page: Page

    def close(self) -> None:
        self.http.close()

    def ask(self, method: str, path: str, **options: object) -> Page:
        """One request; cookies are kept, redirects are not followed."""
        headers = dict(options.pop("headers", None) or {})  # type: ignore[call-overload]
        if self.cookies:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if method != "GET":
            headers.setdefault("Origin", self.server.origin)
            headers.setdefault("Sec-Fetch-Site", "same-origin")
        response = self.http.request(method, path, headers=headers, **options)  # type: ignore[arg-type]
        for line in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line.strip()).items():
                assert not name.startswith("__Host-") or (morsel["secure"] and morsel["path"] == "/"), line
                self.cookies[name] = (
                    morsel.coded_value
                )  # with quotes, where it has some: a browser keeps them
                if morsel["max-age"] == "0" or not morsel.value:
                    del self.cookies[name]
        self.page = Page(response)
        return self.page

    def open(self, path: str) -> Page:
        """A page, wherever it leads."""
        return self._follow(self.ask("GET", path))

    def _follow(self, page: Page) -> Page:
        for _ in range(5):
            if page.status not in (302, 303):
                return page
            page = self.ask("GET", page.headers["Location"])
        raise AssertionError(f"led on and on, at last to {page.path}")

    def send(self, form: Form, **typed: str) -> Page:
        """Send a form of this page with what was typed, and follow."""
        target = urljoin(str(self.page.response.url), form.action or str(self.page.response.url))
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self._follow(self.ask("POST", path, data={**form.values, **typed}))

    def fill(self, **typed: str) -> Page:
        """Fill in the form of this page that has these fields."""
        return self.send(self.page.form(*typed), **typed)

    def press(self, action: str) -> Page:
        """Press the button of the form that goes there."""
        return self.send(self.page.form_to(action))

    def options(self, path: str) -> dict[str, Any]:
        """What a script of this page asks a passkey for."""
        answer = self.page
        asked = self.ask("POST", path, data={"form_token": answer.form("form_token").values["form_token"]})
        self.page = answer
        return dict(asked.response.json()["publicKey"])

    def show(self, credential: dict[str, Any], **typed: str) -> Page:
        """Send what a passkey answered, as the script of this page does."""
        return self.fill(credential=json.dumps(credential), **typed)

    # Whole ways

    def add_passkey(self, name: str = "") -> Passkey:
        """Bind a passkey of somebody whose session is fresh."""
        passkey = Passkey(self.server.origin)
        self.open("/passkeys/new/")
        self.show(passkey.make(self.options("/passkeys/options/")), name=name)
        assert self.page.path == "/", self.page.text
        return passkey

    def prove_password(self, person: Person, *, then: str = "") -> Page:
        self.open(f"/sign-in/?next={then}" if then else "/sign-in/")
        return self.fill(email=person.email, password=person.password)

    def sign_in(self, person: Person, **typed: str) -> Page:
        """Both steps; enrols a first authenticator where there is none."""
        page = self.prove_password(person)
        if page.path == "/enrol/":
            return self.enrol(person)
        page = self.fill(code=person.code(), **typed)
        assert "__Host-web" in self.cookies, f"{page.path} ({page.status}): {page.text[:300]}"
        return page

    def sign_up(self, person: Person | None = None) -> Person:
        """Register, follow the mailed link, enrol, keep the recovery codes."""
        person = person or Person(new_email())
        self.open("/sign-up/")
        self.fill(email=person.email, password=person.password)
        assert self.page.path == "/sign-up/sent/", self.page.text
        self.open("/confirm/")
        token = Mailbox(self.server.data_dir / "outbox", person.email).wait_for_token()
        self.fill(token=token, password=person.password)
        self.enrol(person)
        return person

    def enrol(self, person: Person, **typed: str) -> Page:
        """Bind an authenticator by its key, on the page that asks for its name."""
        self.fill(name="My phone", **typed)
        assert self.page.path == "/enrol/app/", self.page.text
        person.authenticator = Authenticator("".join(self.page.reader.by_id["key"].split()))
        page = self.fill(code=person.code())
        if page.path == "/recovery-codes/":
            person.recovery_codes = [word for word in page.text.split() if word.count("-") == 5]
            page = self.press("")
        return page

    @property
    def is_signed_in(self) -> bool:
        return "Sign out" in self.open("/").text
