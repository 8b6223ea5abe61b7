"""/console/: what happened lately, who caused it, what was recognised, and how the log stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.events import EventType
from audit.validation import rfc3339
from secure_auth import detections, integrity, summary
from secure_auth.web.console import charts
from secure_auth.web.console.charts import Chart, Choose
from secure_auth.web.console.detections import in_words
from secure_auth.web.console.entrance import console, show, who
from secure_auth.web.person import SignedRequest

SPANS: Final[dict[str, tuple[timedelta, Promise]]] = {
    "hour": (timedelta(hours=1), _("Last hour")),
    "day": (timedelta(days=1), _("Last 24 hours")),
    "week": (timedelta(days=7), _("Last 7 days")),
    "month": (timedelta(days=30), _("Last 30 days")),
}
DEFAULT_SPAN: Final = "day"
SHOWN_DETECTIONS: Final = "5"


@dataclass(frozen=True)
class Tile:
    """A number with its course over time, and the filters of the events behind it."""

    title: Promise
    chart: Chart
    query: str


def of(type_: EventType, **wanted: str) -> Choose:
    """Chooses the counts of a type, with an outcome or severity."""
    return lambda count: (
        count["type"] == type_ and all(count[name] == value for name, value in wanted.items())
    )


_TILES: Final[tuple[tuple[Promise, Choose, dict[str, str]], ...]] = (
    (_("Lockouts"), of(EventType.ACCOUNT_LOCK), {"type": EventType.ACCOUNT_LOCK}),
    (_("Reused tokens"), of(EventType.TOKEN_REUSE), {"type": EventType.TOKEN_REUSE}),
    (
        _("New devices"),
        of(EventType.SESSION_OPEN, severity="low"),
        {"type": EventType.SESSION_OPEN, "severity": "low"},
    ),
    (_("Refused by limits"), of(EventType.LIMIT_EXCEEDED), {"type": EventType.LIMIT_EXCEEDED}),
)
_SIGNED_IN: Final = of(EventType.SESSION_OPEN)
_STEPS: Final = frozenset({EventType.LOGIN_PASSWORD, EventType.LOGIN_SECOND_FACTOR})


def is_failed_login(count: Mapping[str, Any]) -> bool:
    """Whether it is a step of a login that failed."""
    return count["type"] in _STEPS and count["outcome"] == "failure"


@console("GET")
def overview(request: SignedRequest) -> HttpResponse:
    """What happened in a span of time, an hour to thirty days."""
    signed, source = who(request)
    name = request.GET.get("span", DEFAULT_SPAN)
    span = name if name in SPANS else DEFAULT_SPAN
    since = timezone.now().replace(second=0, microsecond=0) - SPANS[span][0]
    bucket = charts.bucket_for(SPANS[span][0])
    counted = summary.show_summary(
        signed=signed, query={"since": rfc3339(since), "bucket": bucket}, source=source
    )
    found = detections.list_detections(
        signed=signed, query={"state": "open", "limit": SHOWN_DETECTIONS}, source=source
    )
    context = {
        "spans": {key: words for key, (_length, words) in SPANS.items()},
        "span": span,
        "logins": charts.draw(counted, _SIGNED_IN, is_failed_login),
        "tiles": [_tile(counted, *one) for one in _TILES],
        "totals": counted["totals"],
        "failures": counted["failures"],
        "since": counted["since"],
        "detections": in_words(found.results),
        "more_detections": found.next is not None,
        "health": integrity.show_health(signed=signed, source=source),
    }
    return show(request, "overview", context)


def _tile(counted: Mapping[str, Any], title: Promise, choose: Choose, filters: Mapping[str, str]) -> Tile:
    return Tile(title, charts.draw(counted, choose), urlencode({**filters, "since": counted["since"]}))
