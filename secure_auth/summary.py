"""What the log holds, in counts: for the charts of security teams. Each look is recorded like any other reading."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from audit import summary
from audit.events import Reason, Source
from audit.filters import BadFilter, parse_bound
from audit.summary import Count
from audit.validation import rfc3339
from audit.vocabulary import View
from secure_auth import review
from secure_auth.access import Signed
from secure_auth.errors import validation_failed

PARAMETERS = ("since", "until", "bucket")
DEFAULT_BUCKET = "hour"


def show_summary(*, signed: Signed, query: Mapping[str, str], source: Source) -> dict[str, Any]:
    """Counts by bucket, totals, and who caused most of the latest failures; recorded whether or not it is refused.

    Raises:
        Problem: validation_failed.
    """
    told = review.told_as(query)
    try:
        begin, end, bucket = _span(query)
    except BadFilter as error:
        review.record_reading(
            View.SUMMARY, signed=signed, source=source, query=told, reason=Reason.INVALID_INPUT
        )
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    review.record_reading(View.SUMMARY, signed=signed, source=source, query=told)
    return _told(begin, end, bucket)


def _span(query: Mapping[str, str]) -> tuple[int, int, str]:
    for name in query:
        if name not in PARAMETERS:
            raise BadFilter(name, "unknown filter")
    bounds = {name: parse_bound(name, query[name]) for name in ("since", "until") if name in query}
    bucket = query.get("bucket", DEFAULT_BUCKET)
    return *summary.parse_span(bounds.get("since"), bounds.get("until"), bucket), bucket


def _told(begin: int, end: int, bucket: str) -> dict[str, Any]:
    counts = summary.read_counts(begin, end, bucket)
    by_start: dict[int, list[Count]] = defaultdict(list)
    for count in counts:
        by_start[count.start].append(count)
    top, reach = summary.read_top(begin, end), summary.read_reach()
    return {
        "results": [_bucket(start, by_start[start]) for start in range(begin, end, summary.BUCKETS[bucket])],
        "next": None,
        "previous": None,
        "bucket": bucket,
        "since": _moment(begin),
        "until": _moment(end),
        "totals": {
            "events": sum(count.count for count in counts),
            **{name: _total(counts, name) for name in ("type", "outcome", "severity")},
        },
        "failures": {
            "looked_at": top.looked_at,
            "sources": [{"ip": ip, "events": events} for ip, events in top.sources],
            "users": [{"user": user, "events": events} for user, events in top.users],
        },
        "reach": {"log": reach.log, "counted": reach.counted, "entries": reach.entries} if reach else None,
    }


def _bucket(start: int, counts: list[Count]) -> dict[str, Any]:
    return {
        "start": _moment(start),
        "events": sum(count.count for count in counts),
        "counts": [
            {"type": one.type, "outcome": one.outcome, "severity": one.severity, "events": one.count}
            for one in counts
        ],
    }


def _total(counts: list[Count], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total[getattr(count, name)] += count.count
    return dict(total.most_common())


def _moment(seconds: int) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))
