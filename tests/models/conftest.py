"""One session of one person on a private database, and a clock that only the test moves."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dj_database_url
import jwt.api_jwt
import pytest
import rest_framework_simplejwt.utils
from django.core.management import call_command
from django.db import connection, connections, transaction

import tests.ready  # noqa: F401
from audit.events import Source
from audit.models import Event
from secure_auth import digest_ring, keys, refreshing, sessions, tokens
from secure_auth.errors import Problem
from secure_auth.models import Key, Session, User
from secure_auth.sessions import Verdict
from secure_auth.tokens import TokenPair
from tests import services
from tests.rings import rings, signing_key
from throttling import lockout

BEGIN = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
PROBE_KEY = "p" * 22
_requests = itertools.count()


class Clock:
    """The time of the service; it stands still until it is told to go on."""

    now = BEGIN

    def begin(self) -> None:
        self.now = BEGIN

    def advance(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def seconds(self) -> int:
        return int((self.now - BEGIN).total_seconds())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of sessions, tokens and the libraries that verify them."""
    moved = Clock()

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moved.now.astimezone(tz)

    monkeypatch.setattr("django.utils.timezone.now", lambda: moved.now)
    monkeypatch.setattr("audit.clocks._now", lambda: [moved.now])
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: moved.now.timestamp()))
    monkeypatch.setattr(jwt.api_jwt, "datetime", Stopped)
    monkeypatch.setattr(rest_framework_simplejwt.utils, "datetime", Stopped)
    return moved


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service's tables, empty, on Django's default connection of every thread."""
    if request.param == "sqlite":
        yield from _migrated(_sqlite(tmp_path_factory.mktemp("models")))
        return
    services.require("postgres")
    with services.private_database() as url:
        options = {
            "pool": {"min_size": 1, "max_size": 12, "timeout": 30},
            "options": "-c synchronous_commit=off",
        }
        yield from _migrated({**dj_database_url.parse(url), "OPTIONS": options, "CONN_MAX_AGE": 0})


def _sqlite(directory: Path) -> dict[str, Any]:
    base = connections.settings["default"]
    lazy = base["OPTIONS"]["init_command"].replace("synchronous=FULL", "synchronous=OFF")
    return {"NAME": directory / "secure_auth.sqlite3", "OPTIONS": {**base["OPTIONS"], "init_command": lazy}}


def _migrated(values: dict[str, Any]) -> Iterator[str]:
    before = connections.settings["default"]
    _point_at({**before, **values})
    try:
        call_command("migrate", verbosity=0)
        key = signing_key()
        Key.objects.create(
            kid=key.kid, purpose=key.purpose, state=key.state, algorithm=key.algorithm, sealed=b""
        )
        with rings(key):
            yield connection.vendor
    finally:
        _point_at(before)


def _point_at(values: dict[str, Any]) -> None:
    connection.close()
    with suppress(AttributeError):
        connection.close_pool()  # type: ignore[attr-defined]
    connections.settings["default"] = values
    del connections["default"]


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation without the limit of refreshes, which the tests of limits show."""
    monkeypatch.setattr(lockout, "reserve_refresh", lambda **_: None)


@dataclass(frozen=True)
class Answer:
    """A refresh as its client sees it: a pair, or a problem's code."""

    pair: TokenPair | None
    problem: str = ""


@dataclass
class Family:
    """A session under test, and its refresh tokens as they are issued."""

    now: datetime
    user_id: str = ""
    row_id: str = ""
    first: str = ""

    def __post_init__(self) -> None:
        self.digest_key = digest_ring.active_key()
        user = User.objects.create(email_key=f"{User.objects.count()}", mailbox_proved_at=self.now)
        session = sessions.open_session(
            user,
            amr=["pwd", "otp", "mfa"],
            ip="",
            user_agent="",
            device_id="",
            digest_key=self.digest_key,
            now=self.now,
        )
        session.save(force_insert=True)
        self.user_id, self.row_id = user.id, session.id
        self.first = tokens.issue_refresh(session, digest_key=self.digest_key, now=self.now)[0]

    @property
    def row(self) -> Session:
        """The one row of the account, however often it was refreshed."""
        return Session.objects.get(user_id=self.user_id)

    def refresh(self, token: str, key: str | None) -> Answer:
        """The use case. Each request comes from an address of its own, so that none of its events is collapsed."""
        number = next(_requests)
        source = Source(ip=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        try:
            return Answer(refreshing.refresh_tokens(refresh=token, idempotency_key=key, source=source))
        except Problem as problem:
            return Answer(None, str(problem))

    def live_generations(self, newest: int, now: datetime) -> list[int]:
        """The generations whose token would rotate now; each is tried and taken back."""
        return [generation for generation in range(newest + 2) if self._rotates(generation, now)]

    def _rotates(self, generation: int, now: datetime) -> bool:
        kid = keys.ring(Key.Purpose.SIGNING).active.kid
        with transaction.atomic():
            rotation = sessions.rotate_session(
                self.row_id,
                generation=generation,
                kid=kid,
                digest_key=self.digest_key,
                idempotency_key=PROBE_KEY,
                now=now,
            )
            transaction.set_rollback(True)
        return rotation.verdict is Verdict.ROTATED

    def count_events(self, **wanted: str) -> int:
        return Event.objects.filter(session=self.row_id, **wanted).count()
