"""A client whose every request is remembered with the events that the service wrote because of it."""

import json
import re
from collections import defaultdict
from typing import Any

import httpx
from django.urls import resolve

from tests.client import Client, Person, expect
from tests.server import Server

Route = tuple[str, str]  # method, path with {} for what differs
Told = tuple[str, str]  # type, outcome


class Listener:
    """What each route wrote into the log: events by their request id, and what a flood only counted."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told: dict[Route, set[Told]] = defaultdict(set)
        self._requests: dict[str, Route] = {}

    def hear(self, method: str, path: str, request_id: str, before: dict[int, int]) -> None:
        """Note a request that was just answered."""
        route = method, "/" + re.sub(r"<[^>]+>", "{}", resolve(path.partition("?")[0]).route)
        self._requests[request_id] = route
        for row, (count, about) in self._tallies().items():
            if count > before.get(row, 0):
                self.told[route].add((about["type"], about["outcome"]))

    def counts(self) -> dict[int, int]:
        return {row: count for row, (count, _) in self._tallies().items()}

    def _tallies(self) -> dict[int, tuple[int, dict[str, str]]]:
        rows = self.server.rows("SELECT id, count, about FROM audit_tally")
        return {row[0]: (row[1], row[2] if isinstance(row[2], dict) else json.loads(row[2])) for row in rows}

    def by_route(self) -> dict[Route, set[Told]]:
        """What each route that was asked wrote; nothing is an empty set."""
        for request_id, type_, outcome in self.server.rows(
            "SELECT request_id, type, outcome FROM audit_event"
        ):
            if request_id in self._requests:
                self.told[self._requests[request_id]].add((type_, outcome))
        return {route: self.told[route] for route in set(self._requests.values())}


class Watched(Client):
    """A client that a listener hears. Its people sign in with recovery codes, which need no waiting."""

    def __init__(self, listener: Listener, address: str) -> None:
        super().__init__(listener.server, address)
        self.listener = listener

    def request(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        before = self.listener.counts()
        answer = super().request(method, path, token, **options)
        full = path if path.startswith("/") else f"/api/v1/{path}"
        self.listener.hear(method, full, answer.headers["X-Request-ID"], before)
        return answer

    def sign_in(self, person: Person, **verify: Any) -> Person:
        """Both steps."""
        if not person.recovery_codes:
            return super().sign_in(person, **verify)
        self.recover(person, **verify)
        return person

    def ended(self, person: Person) -> str:
        """An access token of a session that is over."""
        self.sign_in(person)
        expect(self.post("logout/", token=person.access), 204)
        return person.access
