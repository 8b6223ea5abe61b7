"""A real browser before a real service: Debian's Chromium, driven by Playwright. One of each serves all these tests.

What a page says on the console is a failure: a blocked script, style or frame would say so there.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.client import Client, Person
from tests.conftest import new_address
from tests.server import ROOT, Server, running_server
from tests.services import browser_program, require_programs
from tests.visitor import Visitor

HERE = ROOT / "tests" / "pages"
WAIT_MILLISECONDS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs them all: it starts one browser and one service."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.xdist_group("pages"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = browser_program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for the browser; what differs between databases is tested without one."""
    with running_server("sqlite", tmp_path_factory.mktemp("pages")) as running:
        yield running


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, as its lock file pins it."""
    require_programs("npm")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser, server: Server) -> Iterator[NewContext]:
    """Makes browsers without a past, each at an address of its own. `complaints` of a page are failures in the end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**options: Any) -> BrowserContext:
        headers = {"X-Forwarded-For": options.pop("address", None) or new_address()}
        context = browser.new_context(base_url=server.origin, extra_http_headers=headers, **options)
        context.set_default_timeout(WAIT_MILLISECONDS)
        context.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    # A status of 4xx is told on the console too; it is what these tests ask for.
    assert [one for one in complaints if "Failed to load resource" not in one] == []


@pytest.fixture
def page(new_context: NewContext) -> Page:
    return new_context().new_page()


@pytest.fixture
def signed_in(new_context: NewContext, server: Server) -> Callable[..., tuple[Page, Person]]:
    """A page of somebody who is signed in; the way there is another test's."""

    def make(role: str = "", **options: Any) -> tuple[Page, Person]:
        address = new_address()
        client = Client(server, address)
        person = client.create_person(role=role)
        client.close()
        context = new_context(address=address, **options)
        enter(context, server, person, address)
        return context.new_page(), person

    return make


def enter(context: BrowserContext, server: Server, person: Person, address: str, **options: str) -> None:
    """Sign a browser in as somebody, with the cookies of a visitor who did both steps."""
    visitor = Visitor(server, address, **options)
    visitor.prove_password(person)
    visitor.open("/sign-in/code/?with=recovery_code")
    page = visitor.fill(code=person.recovery_codes.pop())
    assert page.path == "/", page.text
    visitor.close()
    secure = server.origin.replace(
        "http:", "https:"
    )  # what may set a __Host- cookie; both schemes share them
    context.add_cookies(
        [
            {"name": name, "value": value, "url": secure, "secure": True, "httpOnly": True}
            for name, value in visitor.cookies.items()
        ]
    )
