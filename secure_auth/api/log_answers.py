"""The answers about the log, as the schema tells them: events, proofs, counts."""

from rest_framework import serializers

from audit.events import EventType, Outcome, Reason, Severity
from audit.summary import BUCKETS
from secure_auth.api.answers import Answer, Listing


class EventSource(Answer):
    """Where a request came from; what was erased is empty."""

    ip = serializers.CharField(allow_blank=True)
    user_agent = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)


class Event(Answer):
    """One security event."""

    id = serializers.CharField(help_text="A UUIDv7.")
    time = serializers.DateTimeField()
    type = serializers.ChoiceField(choices=[str(one) for one in EventType])
    outcome = serializers.ChoiceField(choices=[str(one) for one in Outcome])
    reason = serializers.ChoiceField(choices=[str(one) for one in Reason], help_text="Empty: none is needed.")
    severity = serializers.ChoiceField(choices=[str(one) for one in Severity])
    user = serializers.CharField(allow_blank=True, help_text="The account's id.")
    subject = serializers.CharField(allow_blank=True, help_text="A keyed hash where no account matched.")
    session = serializers.CharField(allow_blank=True)
    source = EventSource()  # type: ignore[assignment]
    details = serializers.DictField(help_text="Typed by the event's type.")


class Events(Listing):
    """Events, newest first. A page may be short, even empty, while `next` leads on."""

    results = Event(many=True)


class Opening(Answer):
    """What a commitment commits to."""

    salt = serializers.CharField(help_text="Base64, 16 bytes.")
    value = serializers.CharField()


class Proof(Answer):
    """That an event stands in the log (RFC 9162 section 2.1.3) under a signed checkpoint."""

    event = Event(allow_null=True, help_text="null where the body was pruned.")
    leaf = serializers.CharField(
        allow_null=True,
        help_text="The canonical JSON (RFC 8785) that was hashed; null where the body was pruned.",
    )
    leaf_hash = serializers.CharField(help_text="Base64 SHA-256 of a zero byte and the leaf.")
    openings = serializers.DictField(child=Opening(), help_text="By the name of the commitment.")
    erased = serializers.ListField(child=serializers.CharField(), help_text="Commitments without an opening.")
    index = serializers.IntegerField(min_value=0)
    hashes = serializers.ListField(
        child=serializers.CharField(), help_text="From the leaf's sibling up, base64."
    )
    checkpoint = serializers.CharField(help_text="A signed note: origin, size, root, signatures.")


class KindCount(Answer):
    """How many events of one kind."""

    type = serializers.ChoiceField(choices=[str(one) for one in EventType])
    outcome = serializers.ChoiceField(choices=[str(one) for one in Outcome])
    severity = serializers.ChoiceField(choices=[str(one) for one in Severity])
    events = serializers.IntegerField(min_value=1)


class Bucket(Answer):
    """A span of time; there is one for each, empty or not."""

    start = serializers.DateTimeField(help_text="Its first moment, UTC.")
    events = serializers.IntegerField(min_value=0)
    counts = KindCount(many=True)


class Totals(Answer):
    """All buckets together, most first."""

    events = serializers.IntegerField(min_value=0)
    type = serializers.DictField(child=serializers.IntegerField(min_value=1))
    outcome = serializers.DictField(child=serializers.IntegerField(min_value=1))
    severity = serializers.DictField(child=serializers.IntegerField(min_value=1))


class TopSource(Answer):
    """An address, and how many of the failures came from it."""

    ip = serializers.CharField()
    events = serializers.IntegerField(min_value=1)


class TopUser(Answer):
    """An account, and how many of the failures are about it."""

    user = serializers.CharField()
    events = serializers.IntegerField(min_value=1)


class Failures(Answer):
    """Who caused most of the latest failures of the span, also of those that are not counted yet."""

    looked_at = serializers.IntegerField(min_value=0, help_text="How many failures, the latest ones.")
    sources = TopSource(many=True)
    users = TopUser(many=True)


class Reach(Answer):
    """How far the counts go: entries of the log that were counted, of those that it has."""

    log = serializers.IntegerField(min_value=1)
    counted = serializers.IntegerField(min_value=0)
    entries = serializers.IntegerField(min_value=0)


class Summary(Listing):
    """Counts of events by bucket. Only integrated events are counted."""

    results = Bucket(many=True)
    bucket = serializers.ChoiceField(choices=list(BUCKETS))
    since = serializers.DateTimeField(help_text="The first moment that is counted.")
    until = serializers.DateTimeField(help_text="The first moment that is not.")
    totals = Totals()
    failures = Failures()
    reach = Reach(allow_null=True, help_text="null while nothing is counted.")
