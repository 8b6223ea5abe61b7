"""What every request passes: its id, source, size and share of the source's limit, and the answer's headers."""

import re
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, HttpResponseBase

from audit.events import Source
from secure_auth import browsers, metrics, refusals
from secure_auth.errors import Code, Problem
from secure_auth.ids import is_request_id, new_id
from secure_auth.problem_details import problem_response
from secure_auth.web import probes
from throttling import lockout
from throttling.address import client_address, is_trusted_peer
from throttling.headers import rate_limit_fields, watch_usage

# W3C Trace Context, traceparent: version, trace, parent, flags; a later version may append fields
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)
USER_AGENT_LENGTH = 256
CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
UNLIMITED = frozenset({"healthz", "readyz"})
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})  # orchestrators ask by address, under any name

RATE_LIMITED = 429
READABLE = frozenset({"access-control-allow-origin", "access-control-expose-headers", "vary"})

GetResponse = Callable[[HttpRequest], HttpResponseBase]
Answer = Callable[[Problem, HttpRequest], HttpResponseBase]


def read_source(request: HttpRequest) -> tuple[Source, str]:
    """Where a request comes from, and the id that its answer echoes.

    `request_id` is ours unless a trusted proxy gave it; a stranger's is echoed and kept as personal data.
    """
    trusted = settings.TRUSTED_PROXIES
    ip = client_address(request.META, trusted)
    foreign = request.META.get("HTTP_X_REQUEST_ID", "")
    if not is_request_id(foreign):
        foreign = ""
    ours = foreign if foreign and is_trusted_peer(request.META, trusted) else new_id()
    agent = request.META.get("HTTP_USER_AGENT", "")[:USER_AGENT_LENGTH].replace("\x00", "")
    source = Source(
        ip=ip, user_agent=agent, request_id=ours, foreign_request_id="" if ours == foreign else foreign
    )
    return source, foreign or ours


def read_trace(request: HttpRequest) -> dict[str, str]:
    """The trace that this request belongs to, for log lines, where a trusted proxy says so; a stranger's is nobody's.

    Else a stranger could put lines of his into the traces of others.
    """
    shown = request.META.get("HTTP_TRACEPARENT", "")
    if not shown or not is_trusted_peer(request.META, settings.TRUSTED_PROXIES):
        return {}
    found = TRACEPARENT.fullmatch(shown.strip()[:256])
    return {"trace_id": found[1], "span_id": found[2]} if found else {}


def distrust_forwarded(request: HttpRequest) -> None:
    """Drop the scheme that a stranger claims, and note that somebody forwards without being trusted."""
    if any(name in request.META for name in FORWARDED):
        request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        probes.note_untrusted_forwarding()


class RequestMiddleware:
    """Outermost: the source, the size of the body, and the headers that every answer carries."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request whose source is known and whose body is small enough."""
        source, request_id = read_source(request)
        request.source, request.request_id = source, request_id  # type: ignore[attr-defined]
        if not is_trusted_peer(request.META, settings.TRUSTED_PROXIES):
            distrust_forwarded(request)
        structlog.contextvars.bind_contextvars(request_id=source.request_id, **read_trace(request))
        with watch_usage() as usages:
            request.usages = usages  # type: ignore[attr-defined]
            try:
                response = self._respond(request)
            finally:
                structlog.contextvars.clear_contextvars()
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
        if request.method == "HEAD":  # a body here would be read as the next answer
            if response.streaming:
                response.streaming_content = ()  # type: ignore[attr-defined] # what it was is closed with it
            else:
                response.content = b""  # type: ignore[attr-defined]
        response.headers["X-Request-ID"] = request_id
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        for name, value in rate_limit_fields(usages).items():
            response.headers[name] = value
        metrics.count_answer(response.status_code)
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isascii() or not length.isdigit() or int(length) > settings.MAX_BODY_BYTES:
            return _refuse(request, Problem(Code.PAYLOAD_TOO_LARGE))
        if settings.SECURE_SSL_REDIRECT and request.path.startswith("/api/v1/") and not request.is_secure():
            # A redirect would teach a program to send its secrets in clear first (ASVS 4.1.2).
            return _refuse(request, Problem(Code.VALIDATION_FAILED, detail="Use https."))
        try:
            if request.path not in PROBES:
                request.get_host()
            return self.get_response(request)
        except DisallowedHost:
            return _refuse(request, Problem(Code.VALIDATION_FAILED))
        except RequestDataTooBig:
            return _refuse(request, Problem(Code.PAYLOAD_TOO_LARGE))


def _refuse(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Refuse what no view sees; it counts against its source all the same."""
    is_counted = getattr(request, "is_counted", False) or request.path in PROBES
    return (None if is_counted else count_request(request)) or problem_response(problem, request)


class SourceLimitMiddleware:
    """The limit on everything that has no limit of its own.

    A view that says `limits_source_itself` has its use case reserve the source together with its other limits, in one
    decision. What was refused before any reservation, and what no view answers, is counted after the fact: nothing is
    free but the probes, and scrapes of /metrics with the right token.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Count afterwards what nobody counted."""
        request.is_counted = False  # type: ignore[attr-defined]
        response = self.get_response(request)
        granted = request.usages and response.status_code != RATE_LIMITED  # type: ignore[attr-defined]
        if request.is_counted or granted:  # type: ignore[attr-defined]
            return response
        refusal = count_request(request)
        if refusal is None:
            return response
        for name, value in response.headers.items():  # whose pages may read this is told further inside
            if name.lower() in READABLE:
                refusal.headers[name] = value
        return refusal

    def process_view(
        self, request: HttpRequest, view: Callable[..., object], _args: object, _kwargs: object
    ) -> HttpResponseBase | None:
        """Count the request against its source before the view sees it."""
        kind = getattr(view, "cls", None)
        if getattr(kind, "limits_source_itself", False):
            # A known device has a lane of its own, whatever its source did.
            shows_device = "X-Device-Token" in request.headers or browsers.DEVICE in request.COOKIES
            return None if shows_device and getattr(kind, "has_device_lane", False) else refuse_again(request)
        request.is_counted = True  # type: ignore[attr-defined]
        if getattr(request.resolver_match, "url_name", "") in UNLIMITED:
            return None
        return count_request(request, answer=getattr(view, "answer_problem", problem_response))


def refuse_again(request: HttpRequest) -> HttpResponseBase | None:
    """The refusal of a source whose requests were refused a moment ago; it costs no store call."""
    source: Source = request.source  # type: ignore[attr-defined]
    try:
        with refusals.limits_refused(source=source):
            lockout.refuse_request_again(source.ip)
    except Problem as problem:
        request.is_counted = True  # type: ignore[attr-defined]
        return problem_response(problem, request)
    return None


def count_request(request: HttpRequest, *, answer: Answer = problem_response) -> HttpResponseBase | None:
    """One request of a source; the refusal when that is one too many, as a document or, by `answer`, as a page."""
    source: Source = request.source  # type: ignore[attr-defined]
    try:
        with refusals.limits_refused(source=source):
            request.reservation = lockout.reserve_request(source.ip)  # type: ignore[attr-defined]
    except Problem as problem:
        return answer(problem, request)
    return None
