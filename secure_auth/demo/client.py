"""A client of the service: requests with one person's name on them, and answers that explain a refusal."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

BUSY_TRIES = 5
TIMEOUT_SECONDS = 30
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 what to call, not where to listen


class Stopped(Exception):
    """The journey cannot go on; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Answer:
    """One answer of the service."""

    status: int
    phrase: str
    body: dict[str, Any]
    retry_after_seconds: int = 0

    @property
    def code(self) -> str:
        """The problem's code; empty for a success."""
        return str(self.body.get("code", "")) if self.status >= 400 else ""


Told = Callable[[str, str, dict[str, Any], Answer], None]


def server_url() -> str:
    """Where the service of these settings answers: at PORT of this machine, or behind its proxy at ORIGIN."""
    if settings.BROWSER_ORIGIN.startswith("https://"):
        return str(settings.ORIGIN)
    host = ANY_HOST.get(settings.HOST, settings.HOST)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"


class Client:
    """Somebody's program. `told` hears of each request and its answer."""

    def __init__(self, who: str, run: str, told: Told) -> None:
        self.told = told
        self.http = httpx.Client(
            base_url=server_url(),
            headers={"Host": urlsplit(settings.ORIGIN).netloc, "User-Agent": f"demo-{run} {who}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        device: str = "",
        expect: int = 200,
        told: bool = True,
    ) -> Answer:
        """Send a request below /api/v1/ and show it.

        Raises:
            Stopped: the answer is not the expected one.
        """
        answer = self.attempt(method, path, body, _headers(token, device))
        if told:
            shown = {**(body or {}), **({"bearer": token} if token else {})}
            self.told(method, path, {**shown, **({"device_token": device} if device else {})}, answer)
        if answer.status != expect:
            raise unexpected(method, path, answer)
        return answer

    def attempt(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request, again while the service says that it is busy; any answer will do.

        Raises:
            Stopped: there is none.
        """
        for _ in range(BUSY_TRIES):
            try:
                response = self.http.request(method, f"/api/v1/{path}", json=body, headers=headers)
            except httpx.HTTPError as error:
                raise no_answer() from error
            if response.status_code != 503:
                break
            time.sleep(_retry_after(response) or 1)
        return Answer(
            response.status_code, response.reason_phrase, _document(response), _retry_after(response)
        )


def _headers(token: str, device: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return headers | ({"X-Device-Token": device} if device else {})


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = None
    return found if isinstance(found, dict) else {}


def _retry_after(response: httpx.Response) -> int:
    value = response.headers.get("Retry-After", "")
    return int(value) if value.isdigit() else 0


def no_answer() -> Stopped:
    """Nothing answers where the service should be."""
    return Stopped(
        f"No service answers at {server_url()}: start it with `make run` in another terminal, "
        "or set PORT to where it runs."
    )


def unexpected(method: str, path: str, answer: Answer) -> Stopped:
    """The service said something else than this journey expects."""
    if answer.status == 429:
        wait = waiting_time(answer.retry_after_seconds)
        return Stopped(
            f"Earlier requests from this address used up a limit of the service ({answer.code} at {path}): "
            f"wait {wait}, then run this again."
        )
    what = answer.code or answer.phrase
    return Stopped(f"{method} {path} answered {answer.status} ({what}), which this journey does not expect.")


def waiting_time(seconds: int) -> str:
    """A duration in words."""
    if seconds < 120:
        return f"{max(1, seconds)} seconds"
    return f"{-(-seconds // 60)} minutes"
