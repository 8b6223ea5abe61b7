"""audit/detections/: attacks recognised in the log."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.detections.reading import MOST_NOTES, STATES
from audit.detections.rule import Kind
from audit.events import Severity
from audit.vocabulary import DetectionRule, View
from secure_auth import detections
from secure_auth.api.answers import Answer, Listing
from secure_auth.api.audit import asked_of_the_log, page_answer
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import DETECTION_FILTERS, PAGING


class About(Answer):
    """Whom a detection is about, as the events that show it say; what was erased is left out."""

    kind = serializers.ChoiceField(
        choices=[str(one) for one in Kind], help_text="What the rule keeps a count of its own for."
    )
    users = serializers.ListField(child=serializers.CharField(), help_text="Ids of accounts.")
    subjects = serializers.ListField(
        child=serializers.CharField(), help_text="Keyed hashes of identifiers that matched no account."
    )
    ips = serializers.ListField(child=serializers.CharField())
    sessions = serializers.ListField(child=serializers.CharField())


class Acknowledgement(Answer):
    """Who looked into it."""

    at = serializers.DateTimeField()
    by = serializers.CharField(allow_blank=True, help_text="The id of the account; empty after erasure.")
    note = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField(help_text="How many events had shown it then.")


class Detection(Answer):
    """An attack recognised in the log: one rule, one thing it is about, one day (UTC)."""

    id = serializers.CharField(help_text="Always the same for the same rule, thing and day.")
    rule = serializers.ChoiceField(choices=[str(one) for one in DetectionRule])
    severity = serializers.ChoiceField(choices=[str(one) for one in Severity])
    title = serializers.CharField()
    why = serializers.CharField(help_text="In plain words.")
    count = serializers.IntegerField(help_text="Events that show it, collapsed ones included.")
    figures = serializers.DictField(
        help_text="The highest figures of any window; 64 distinct values mean 64 or more."
    )
    first_event_at = serializers.DateTimeField()
    last_event_at = serializers.DateTimeField()
    raised_at = serializers.DateTimeField()
    events = serializers.ListField(
        child=serializers.CharField(), help_text="Ids: the 10 earliest and the 10 latest that show it."
    )
    about = About()
    told = serializers.BooleanField(
        help_text="Whether an event and the webhooks told of it: of a flood, not all are."
    )
    state = serializers.ChoiceField(choices=STATES)
    acknowledged = Acknowledgement(allow_null=True, help_text="Who looked into it last.")


class NotedDetection(Detection):
    """A detection with what everybody found who looked into it."""

    notes = Acknowledgement(
        many=True, help_text=f"Oldest first; the newest {MOST_NOTES}. All are in the log."
    )


class Detections(Listing):
    """Detections, newest first."""

    results = Detection(many=True)


class NoteBody(Body):
    """What was found."""

    note = Text(max_length=1000, trim_whitespace=True)


class DetectionsView(ServiceView):
    """GET audit/detections/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Detections)}
    parameters = (*DETECTION_FILTERS, *PAGING)

    def get(self, request: Request) -> Response:
        """A page of detections, newest first."""
        query = asked_of_the_log(self, View.DETECTIONS)
        page = detections.list_detections(signed=self.signed, query=query, source=self.source)
        return Response(page_answer(request, page))


class DetectionView(ServiceView):
    """GET audit/detections/{id}/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, NotedDetection)}

    def get(self, request: Request, detection_id: str) -> Response:
        """One detection."""
        return Response(
            detections.show_detection(signed=self.signed, detection_id=detection_id, source=self.source)
        )


class AcknowledgeView(ServiceView):
    """POST audit/detections/{id}/acknowledge/."""

    bearer = "access"
    role = "auditor"
    body_class = NoteBody
    answers = {"POST": (200, NotedDetection)}

    def post(self, request: Request, detection_id: str) -> Response:
        """Say that somebody looked into it; the detection as it is then."""
        note = self.body()["note"]
        return Response(
            detections.acknowledge(
                signed=self.signed, detection_id=detection_id, note=note, source=self.source
            )
        )
