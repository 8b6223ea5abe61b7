"""Headers and query parameters that requests may carry, as the schema tells them."""

from collections.abc import Iterable

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from audit.detections.reading import STATES
from audit.events import EventType, Outcome, Reason, Severity
from audit.exporting import MAX_EVENTS
from audit.filters import DEFAULT_LIMIT, MAX_LIMIT, MAX_QUERY_LENGTH, MAX_TERMS
from audit.summary import BUCKETS, MAX_BUCKETS
from audit.vocabulary import DetectionRule, Format
from secure_auth.administration import ACTIONS

Parameters = tuple[OpenApiParameter, ...]


def _filter(
    name: str, description: str, enum: Iterable[str] | None = None, **schema: object
) -> OpenApiParameter:
    """A query parameter that narrows a listing."""
    return OpenApiParameter(
        name,
        {"type": "string", **schema},
        description=description,
        enum=[str(one) for one in enum] if enum else None,
    )


DEVICE_TOKEN = OpenApiParameter(
    "X-Device-Token",
    {"type": "string", "maxLength": 128},
    OpenApiParameter.HEADER,
    description="The token of a known device. It opens that device's own lane of the limits and nothing else.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{22,128}$"},
    OpenApiParameter.HEADER,
    description="Random, new for each refresh. The same token with the same key is answered with the same "
    "successor, so that a lost answer can be asked for again.",
)
DELIVERY = OpenApiParameter(
    "X-Token-Delivery",
    {"type": "string", "default": "body"},
    OpenApiParameter.HEADER,
    description="`cookie`: tokens come as cookies that no script can read, and not in the body. What they authenticate "
    "and is not a GET then needs the value of the cookie `__Host-csrf` in the header `X-CSRF-Token`.",
    enum=["body", "cookie"],
)
ACTION = OpenApiParameter(
    "action", OpenApiTypes.STR, OpenApiParameter.PATH, description="What to do.", enum=list(ACTIONS)
)
CURSOR = _filter("cursor", "Where the page begins: from `next` or `previous` of another page.")
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="How many results at most.",
)
PAGING: Parameters = (CURSOR, LIMIT)
FORMAT = OpenApiParameter(
    "format",
    {"type": "string", "default": "jsonl"},
    description="How each event is written.",
    enum=[str(one) for one in Format],
)
PROOF = OpenApiParameter(
    "proof",
    {"type": "string", "default": "false"},
    description="Whether each event comes with its inclusion proof.",
    enum=["true", "false"],
)
SINCE = _filter("since", "At or after this moment or day: an RFC 3339 time with its offset, or a date.")
UNTIL = _filter("until", "At or before this moment, or on this day at the latest.")
SPAN: Parameters = (
    SINCE,
    UNTIL,
    OpenApiParameter(
        "bucket",
        {"type": "string", "default": "hour"},
        description=f"How long a bucket is. At most {MAX_BUCKETS} are counted at once.",
        enum=list(BUCKETS),
    ),
)
ORDER = OpenApiParameter(
    "order",
    {"type": "string", "default": "time"},
    description="`time`: newest first. `index`: integrated events in tree order.",
    enum=["time", "index"],
)
EXPORT_PAGING: Parameters = (
    CURSOR,
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS},
        description="How many events at most.",
    ),
    ORDER,
)
FILTERS: Parameters = (
    _filter("type", "What happened.", EventType),
    _filter("outcome", "Whether it took place.", Outcome),
    _filter(
        "reason",
        "Why: of a refusal what stood in the way, of a success what caused it.",
        filter(None, Reason),
    ),
    _filter("severity", "How much attention it deserves.", Severity),
    _filter("user", "An account's id."),
    _filter("ip", "An IPv4 or IPv6 address."),
    _filter("session", "A session's id."),
    _filter("request_id", "The X-Request-ID of the answer.", pattern="^[A-Za-z0-9._-]{1,128}$"),
    SINCE,
    UNTIL,
    _filter(
        "q",
        f"At most {MAX_TERMS} words, each found in some text of the event.",
        maxLength=MAX_QUERY_LENGTH,
    ),
)
USER_QUERY = _filter("q", "An account's id, or the beginning of its address.", maxLength=MAX_QUERY_LENGTH)
DETECTION_FILTERS: Parameters = (
    _filter("rule", "Which rule recognised it.", DetectionRule),
    _filter("severity", "How much attention it deserves.", Severity),
    _filter("state", "Whether somebody looked into it.", STATES),
    _filter("since", "With events at or after this moment or day."),
    _filter("until", "With events at or before this moment, or on this day at the latest."),
)
