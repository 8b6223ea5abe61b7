"""No route without events, no event never raised: all are driven, and the log is asked what it was told.

A route that is new belongs into `tests/house/drives.py`, or into the short lists here with the reason why it is silent.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from audit.events import EventType, Outcome
from secure_auth import urls
from secure_auth.web.activity import WORDS
from tests.house.drives import Drives
from tests.house.test_routes import pages, patterns, views
from tests.house.told import Route
from tests.redis_processes import RedisProcess, one_redis
from tests.server import running_server
from tests.services import CI, believe

pytestmark = pytest.mark.xdist_group("walk")  # one walk serves all
# Reading one's own data.
OWN_DATA = {
    ("GET", "/api/v1/mfa/"),
    ("GET", "/api/v1/sessions/"),
    ("GET", "/api/v1/devices/"),
    ("GET", "/api/v1/me/activity/"),
}
# They tell nothing when all is well: a token is looked at, and nothing was done.
QUIET_SUCCESS = {("GET", "/api/v1/me/"), ("POST", "/api/v1/token/verify/")}
# Looks at nothing of anybody's, and forgets what it was asked.
ESTIMATES = {("POST", "/api/v1/password/strength/")}
SILENT = OWN_DATA | ESTIMATES
# Neither has anything to tell: which language a browser wants, and that codes were kept.
QUIET_PAGES = {"/language/", "/recovery-codes/"}
# What was told of somebody with an account, who sees it in their activity.
OWN = """SELECT DISTINCT type, outcome FROM audit_event JOIN audit_personaldata ON event = audit_event.id
WHERE audit_personaldata."user" <> ''"""


class Walk:
    """What was told during one walk through the house."""

    def __init__(self, drives: Drives, types: set[str], own: set[tuple[EventType, Outcome]]) -> None:
        self.told = drives.listener.by_route()
        self.types, self.own = types, own


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess | None]:
    """One of its own that may die; without the program the walk goes on without it."""
    if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
        assert not CI, "no redis-server program, and CI=true"
        yield None
        return
    with one_redis(tmp_path_factory.mktemp("redis")) as process:
        believe(process.client())
        yield process


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, redis: RedisProcess | None) -> Iterator[Walk]:
    environment = {
        "ARGON2_MEMORY_KIB": "8",
        "ARGON2_TIME_COST": "1",
        "WEBHOOK_URL": "http://127.0.0.1:9/",  # where nobody listens
        "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "RESET_MFA_DELAY_SECONDS": "3600",
        **({"REDIS_URL": redis.url} if redis else {}),
    }
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("walk")
        server = stack.enter_context(running_server("sqlite", directory, environment=environment))
        drives = Drives(server)
        stack.callback(drives.close)
        drives.run()
        drives.listener.by_route()
        drives.accidents(redis)
        types = {row[0] for row in server.rows("SELECT DISTINCT type FROM audit_event")}
        own = {(EventType(type_), Outcome(outcome)) for type_, outcome in server.rows(OWN)}
        server.manage("prune", "--older-than", "1s", "--yes")
        types |= {row[0] for row in server.rows("SELECT DISTINCT type FROM audit_event")}
        yield Walk(drives, types, own)


def routes() -> set[Route]:
    """Those of the API, and the forms of the pages."""
    api = {
        (name.upper(), path)
        for path, view in views()
        for name in view.http_method_names
        if hasattr(view, name) and name != "options"
    }
    acting = [(path, view) for path, view in pages() if path not in QUIET_PAGES]
    return api | {("POST", path) for path, view in acting if "POST" in view.methods}


def test_every_route_was_walked(walk: Walk) -> None:
    assert routes() - set(walk.told) == set()


def test_every_route_tells_of_success_and_of_failure(walk: Walk) -> None:
    missing = set()
    for route in routes() - SILENT:
        outcomes = {outcome for _, outcome in walk.told.get(route, set())}
        wanted = {"failure"} if route in QUIET_SUCCESS else {"success", "failure"}
        missing |= {(*route, outcome) for outcome in wanted - outcomes}
    assert missing == set()


def test_what_is_said_to_be_silent_is(walk: Walk) -> None:
    assert {route: walk.told[route] for route in SILENT if walk.told.get(route)} == {}
    loud = {route for route in QUIET_SUCCESS if any(outcome == "success" for _, outcome in walk.told[route])}
    assert loud == set()


def test_what_is_no_part_of_the_api_only_shows_pages() -> None:
    """Probes, schema and static keys act on nothing: there is nothing to tell."""
    others = {path for path, one in patterns(urls.urlpatterns) if not hasattr(one.callback, "cls")}
    assert not [path for path in others if path.startswith("/api/v1/")]
    assert {path for path in others if path in QUIET_PAGES} == QUIET_PAGES


def test_every_event_was_raised(walk: Walk, redis: RedisProcess | None) -> None:
    unheard = {type_.value for type_ in EventType} - walk.types
    assert unheard - ({"limit.store"} if redis is None else set()) == set()


def test_people_read_of_what_happened_to_their_account_in_words(walk: Walk) -> None:
    assert len(walk.own) > 50
    assert walk.own - set(WORDS) == set()
