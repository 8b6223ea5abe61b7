"""Tabs of an application that share one session by cookies: refresh.js lets one of them refresh, whatever gets lost."""

import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route

from tests.attacks.evidence import Event, events
from tests.client import Client, Person
from tests.conftest import new_address
from tests.server import Server

NewContext = Callable[..., BrowserContext]
TABS = 4
APPLICATION = "/app/"
MODULE = "/static/secure_auth/refresh.js"
REFRESH = "**/api/v1/token/refresh/"
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HTML = '<!doctype html><title>App</title><script type="module" src="app.js"></script>'
SCRIPT = f"""
import {{ lastRefresh, refresh }} from "{MODULE}";
const tell = (going) => going.then(String, (error) => "none: " + error.message);
globalThis.again = (before) => tell(refresh(before));
globalThis.last = lastRefresh;
globalThis.begin = async (at) => {{
  const before = await lastRefresh();
  const moment = new Promise((resolve) => setTimeout(resolve, at - Date.now()));
  globalThis.going = moment.then(() => tell(refresh(before)));
}};
document.documentElement.dataset.ready = "";
"""
POST = """async ([path, body]) => {
  const csrf = document.cookie.match(/__Host-csrf=([^;]*)/)?.[1] ?? "";
  const headers = {"Content-Type": "application/json", "X-Token-Delivery": "cookie", "X-CSRF-Token": csrf};
  const answer = await fetch("/api/v1/" + path, {method: "POST", headers, body: JSON.stringify(body)});
  return [answer.status, await answer.text()];
}"""
OUTCOME = "async () => await going"
WHO = "async () => (await fetch('/api/v1/me/')).status"
WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined})"


def ready(tab: Page) -> Page:
    """The tab, as soon as its script runs."""
    tab.wait_for_selector("html[data-ready]", state="attached")
    return tab


class Application:
    """A page of somebody's own on this origin, in some tabs of one browser, signed in by cookies."""

    def __init__(self, context: BrowserContext, server: Server, person: Person, address: str) -> None:
        self.context, self.server, self.address = context, server, address
        self.keys: list[str] = []
        context.route(f"**{APPLICATION}", self._page)
        context.route(f"**{APPLICATION}app.js", self._script)
        context.on("request", self._note)
        self.tabs = [self.open()]
        self._sign_in(person)
        self.tabs += [self.open() for _ in range(TABS - 1)]

    @staticmethod
    def _page(route: Route) -> None:
        headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
        route.fulfill(body=HTML, headers=headers)

    @staticmethod
    def _script(route: Route) -> None:
        route.fulfill(body=SCRIPT, content_type="text/javascript")

    def _note(self, request: Request) -> None:
        if request.url.endswith("/token/refresh/"):
            self.keys.append(request.headers["idempotency-key"])

    def open(self) -> Page:
        tab = self.context.new_page()
        tab.goto(APPLICATION)
        return ready(tab)

    def _sign_in(self, person: Person) -> None:
        status, told = self.tabs[0].evaluate(
            POST, ["login/", {"email": person.email, "password": person.password}]
        )
        assert status == 200, told
        shown = {"method": "recovery_code", "code": person.recovery_codes.pop()}
        status, told = self.tabs[0].evaluate(POST, ["login/verify/", shown])
        assert status == 200, told
        query = "SELECT id FROM secure_auth_session ORDER BY created_at DESC LIMIT 1"
        ((self.session,),) = self.server.rows(query)

    @property
    def generation(self) -> int:
        query = "SELECT generation FROM secure_auth_session WHERE id = %s"
        ((found,),) = self.server.rows(query, [self.session])
        return int(found)

    def refresh_together(self) -> list[str]:
        """What each tab's refresh came to, all begun at the same moment."""
        at = time.time() * 1000 + 500
        for tab in self.tabs:
            tab.evaluate("at => begin(at)", at)
        return [str(tab.evaluate(OUTCOME)) for tab in self.tabs]

    def deliver(self, request: Request) -> httpx.Response:
        """Bring a request to the service; its answer reaches no tab."""
        brought = ("idempotency-key", "x-csrf-token", "x-token-delivery", "content-type")
        sent = {name: request.headers[name] for name in brought if name in request.headers}
        sent |= {"Host": self.server.origin.partition("://")[2], "Origin": self.server.origin}
        sent |= {"X-Forwarded-For": self.address}
        cookies = self.context.cookies([request.url.replace("http:", "https:")])
        sent["Cookie"] = "; ".join(f"{one['name']}={one['value']}" for one in cookies)
        url = f"{self.server.url}/api/v1/token/refresh/"
        answer = httpx.post(url, headers=sent, content=request.post_data or "", trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer

    def told(self, kind: str) -> list[Event]:
        return events(self.server, session=self.session, type=kind)

    def demand_peace(self) -> None:
        """Every tab goes on; nothing looked like theft."""
        assert [tab.evaluate(WHO) for tab in self.tabs] == [200] * len(self.tabs)
        assert self.told("token.reuse") == self.told("session.revoke") == []


@pytest.fixture
def application(new_context: NewContext, server: Server) -> Callable[..., Application]:
    def make(script: str = "") -> Application:
        address = new_address()
        client = Client(server, address)
        person = client.create_person()
        client.close()
        context = new_context(address=address)
        if script:
            context.add_init_script(script)
        return Application(context, server, person, address)

    return make


def rounds(application: Application) -> list[tuple[list[str], int, int]]:
    """Three rounds: outcomes, requests and generations of each."""
    found = []
    for _ in range(3):
        asked, generation = len(application.keys), application.generation
        outcomes = application.refresh_together()
        found.append((outcomes, len(application.keys) - asked, application.generation - generation))
    return found


def test_of_many_tabs_one_refreshes(application: Callable[..., Application]) -> None:
    app = application()
    assert rounds(app) == [(["true"] * TABS, 1, 1)] * 3
    assert len(set(app.keys)) == 3
    assert [event.reason for event in app.told("token.refresh")] == [""] * 3
    app.demand_peace()


def test_a_lost_answer_is_asked_for_again_with_its_key(application: Callable[..., Application]) -> None:
    app = application()

    def lose(route: Route, request: Request) -> None:
        if app.keys.count(request.headers["idempotency-key"]) == 1:
            app.deliver(request)
            route.abort()
        else:
            route.continue_()

    app.context.route(REFRESH, lose)
    assert rounds(app) == [(["true"] * TABS, 2, 1)] * 3
    assert len(set(app.keys)) == 3
    assert [event.reason for event in app.told("token.refresh")] == ["", "replayed"] * 3
    app.demand_peace()


def test_no_answer_at_all_is_told_to_every_tab_and_the_key_stays(
    application: Callable[..., Application],
) -> None:
    app = application()

    def lose(route: Route, request: Request) -> None:
        app.deliver(request)
        route.abort()

    app.context.route(REFRESH, lose)
    outcomes = app.refresh_together()
    assert [one.partition(":")[0] for one in outcomes] == ["none"] * TABS
    app.context.unroute(REFRESH)
    assert app.refresh_together() == ["true"] * TABS
    assert (len(app.keys), len(set(app.keys)), app.generation) == (3, 1, 1)
    app.demand_peace()


def test_who_asks_again_after_no_answer_is_served(application: Callable[..., Application]) -> None:
    app = application()
    tab, other = app.tabs[:2]
    before = tab.evaluate("last()")
    app.context.route(REFRESH, lambda route: route.abort())
    for _ in range(2):
        assert str(tab.evaluate("before => again(before)", before)).startswith("none: ")
    app.context.unroute(REFRESH)
    assert (len(app.keys), app.generation) == (4, 0)
    assert [one.evaluate("before => again(before)", before) for one in (tab, other)] == ["true"] * 2
    assert (len(app.keys), len(set(app.keys)), app.generation) == (5, 1, 1)
    app.demand_peace()


def held_back(app: Application, *, with_cookies: bool) -> None:
    """A refresh of the first tab that the service answered, while the tab still waits; it sends nothing more."""
    caught: list[Route] = []

    def hold(route: Route, request: Request) -> None:
        caught.append(route)
        if len(caught) > 1:
            return
        answer = app.deliver(request)
        if with_cookies:
            keep(app.context, app.server, answer)

    app.tabs[0].route(REFRESH, hold)
    app.tabs[0].evaluate("() => begin(0)")
    while not caught:
        app.tabs[0].wait_for_timeout(50)


def leave(tab: Page) -> None:
    """End a tab and the requests it waits for; one closed at once may let a request that is held back go after all."""
    tab.goto("about:blank")
    tab.close()


def keep(context: BrowserContext, server: Server, answer: httpx.Response) -> None:
    """As a browser does with the head of an answer."""
    secure = server.origin.replace("http:", "https:")
    for line in answer.headers.get_list("set-cookie"):
        for name, one in SimpleCookie(line).items():
            cookie: Any = {"name": name, "value": one.value, "url": secure + one["path"]}
            cookie |= {"secure": True, "sameSite": "Strict"}
            context.add_cookies([cookie])


def test_the_key_outlives_the_tab(application: Callable[..., Application]) -> None:
    app = application()
    held_back(app, with_cookies=False)
    app.tabs[1].evaluate("() => begin(0)")  # waits for the first
    leave(app.tabs.pop(0))
    assert app.tabs[0].evaluate(OUTCOME) == "true"
    assert (len(set(app.keys)), app.generation) == (1, 1)
    held_back(app, with_cookies=False)
    app.tabs[0].reload()
    ready(app.tabs[0]).unroute(REFRESH)
    assert app.refresh_together() == ["true"] * (TABS - 1)
    assert (len(set(app.keys)), app.generation) == (2, 2)
    app.demand_peace()


def test_a_key_that_has_done_its_work_is_let_go(application: Callable[..., Application]) -> None:
    """The cookies of the answer came, then the tab went: the key that is left over must refresh nothing else."""
    app = application()
    held_back(app, with_cookies=True)
    leave(app.tabs.pop(0))
    assert app.refresh_together() == ["true"] * (TABS - 1)
    assert (len(app.keys), len(set(app.keys)), app.generation) == (3, 2, 2)
    app.demand_peace()


def test_without_locks_tabs_share_a_key(application: Callable[..., Application]) -> None:
    app = application(WITHOUT_LOCKS)
    for outcomes, asked, advanced in rounds(app):
        assert outcomes == ["true"] * TABS
        # One that comes when the cookies are new and the other tab has not said so yet refreshes once more.
        assert 1 <= advanced <= asked <= TABS + 1
    app.demand_peace()


def test_the_end_of_a_session_is_told_to_every_tab(application: Callable[..., Application]) -> None:
    app = application()
    assert app.tabs[0].evaluate(POST, ["logout/", {}])[0] == 204
    assert app.refresh_together() == ["false"] * TABS
    assert len(app.keys) == 1
    assert app.told("token.reuse") == []


def test_the_address_of_the_module_is_stable(page: Page) -> None:
    answer = page.context.request.get(MODULE)
    assert (answer.status, answer.headers["content-type"]) == (200, 'text/javascript; charset="utf-8"')
    assert answer.headers["cache-control"] == "max-age=60, public"
