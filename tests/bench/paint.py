"""How soon a page stands on the screen, and how soon the service has made a page of the console.

`python -m tests.bench.paint` opens each page in Debian's Chromium with an empty cache, on loopback, and asks it for the
first contentful paint. `--database NAME` instead asks every page of the console over the events that
`python -m tests.bench.reading --database NAME` left there; that is the service's time, by HTTP, without a browser.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.bench.reading import serving
from tests.bench.report import bench_server, show_table
from tests.client import Client, Person
from tests.conftest import new_address
from tests.pages.conftest import enter
from tests.server import Server
from tests.services import postgres_url
from tests.watcher import Watcher

ROUNDS = 7
SETTLED = 1000  # milliseconds
STRANGERS = ("/", "/sign-in/", "/sign-up/", "/forgot/")
OWN = ("/", "/activity/", "/enrol/", "/recovery-codes/new/", "/password/")
CONSOLE = ("/console/", "/console/events/", "/console/detections/", "/console/people/", "/console/integrity/")
SPANS = ("hour", "day", "week", "month")
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
SENT = "() => performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)"


def paint(browser: Browser, server: Server, path: str, person: Person | str) -> tuple[float, float]:
    """Milliseconds to the first contentful paint, and the KiB that came, of a browser that has nothing yet."""
    address = new_address()
    context = browser.new_context(base_url=server.origin, extra_http_headers={"X-Forwarded-For": address})
    if isinstance(person, Person):
        enter(context, server, person, address)
    page = context.new_page()
    page.wait_for_timeout(SETTLED)  # what a new context and its process begin with is none of the page's
    page.goto(path, wait_until="load")
    found = 0.0, 0.0
    while not found[0]:  # the policy of the pages lets nothing wait inside the browser
        found = float(page.evaluate(PAINTED)), float(page.evaluate(SENT)) / 1024
    context.close()
    return found


def painted(browser: Browser, server: Server) -> Iterator[list[object]]:
    """One line a page: medians."""
    for who, paths in (("", STRANGERS), ("person", OWN), ("auditor", CONSOLE)):
        for path in paths:
            found = [paint(browser, server, path, who and somebody(server, who)) for _ in range(ROUNDS + 1)]
            times, sizes = zip(*found[1:], strict=True)
            yield [
                f"{path} {f'({who})' if who else ''}".strip(),
                round(statistics.median(times)),
                round(max(times)),
                round(statistics.median(sizes)),
            ]


def somebody(server: Server, role: str) -> Person:
    """A person, or an auditor, from an address of their own."""
    with closing(Client(server, new_address())) as client:
        return client.create_person(role=role.removeprefix("person"))


def asked(watcher: Watcher, first: str) -> Iterator[list[object]]:
    """One line a page of the console: the median and the slowest of its answers, in milliseconds."""
    event = first.rpartition("/events/")[2]
    paths = [
        *(f"/console/?span={span}" for span in SPANS),
        "/console/events/",
        "/console/events/?type=login.password",
        "/console/events/?outcome=failure",
        f"/console/events/{event}",
        "/console/detections/",
        "/console/people/",
        "/console/integrity/",
    ]
    for path in paths:
        seconds = []
        for _ in range(ROUNDS + 1):
            began = time.monotonic()
            answer = watcher.get(path)
            seconds.append((time.monotonic() - began) * 1000)
            assert answer.status_code == 200, (path, answer.status_code)
        yield [path, round(statistics.median(seconds[1:])), round(max(seconds[1:]))]


def first_event(page: str) -> str:
    """The address of the first event that a page of the console lists."""
    begin = page.index('href="/console/events/0')
    return page[begin + len('href="') : page.index('"', begin + len('href="'))]


def ask_console(name: str) -> None:
    """The console over a database that is full."""
    with tempfile.TemporaryDirectory(prefix="secure-auth-bench-") as folder:
        server = serving(f"{postgres_url().rpartition('/')[0]}/{name}", Path(folder))
        try:
            server.start_node("--no-worker")
            client = Client(server, new_address())
            watcher = Watcher(server, new_address()).enter(client.create_person(role="admin"))
            first = first_event(watcher.get("/console/events/").text)
            show_table("The console", ["page", "median ms", "slowest ms"], asked(watcher, first))
            watcher.close()
            client.close()
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="ask the console over the events of this database")
    name = parser.parse_args().database
    if name:
        ask_console(name)
        return
    with bench_server("sqlite") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        head = ["page", "first paint, median ms", "slowest ms", "KiB transferred"]
        show_table("First paint", head, painted(browser, server))
        browser.close()


if __name__ == "__main__":
    main()
