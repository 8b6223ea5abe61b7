"""An event with what surrounds it: the rest of its request, its session before and after, and its proof.

One look, one `audit.read`: of the event. A proof that is taken along is a look of its own (`evidence`).
"""

from dataclasses import dataclass
from typing import Any

from audit import reading, tree
from audit.events import Source
from audit.filters import write_cursor
from audit.records import Record
from secure_auth import evidence, integration, review
from secure_auth.access import Signed
from secure_auth.errors import Problem
from secure_auth.evidence import Proof

OF_REQUEST, AROUND = 30, 12


@dataclass(frozen=True)
class Dossier:
    """`timeline` is oldest first and holds the event itself; no proof while it is pending."""

    event: dict[str, Any]
    timeline: list[dict[str, Any]]
    proof: Proof | None
    vkeys: list[str]


def show_dossier(*, signed: Signed, event_id: str, source: Source) -> Dossier:
    """An event with its surroundings, for an auditor.

    Raises:
        Problem: not_found; gone, its body was pruned.
    """
    event = review.show_event(signed=signed, event_id=event_id, source=source)
    place = tree.place_of(event_id)
    head = tree.head_of(place.log) if place else None
    return Dossier(
        event, _timeline(event), _proof(event_id), integration.verifier_keys(head.origin) if head else []
    )


def _proof(event_id: str) -> Proof | None:
    try:
        return evidence.prove(event_id)
    except Problem:
        return None


def _timeline(event: dict[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, Record] = {}
    if request_id := event["source"]["request_id"]:
        page = reading.find_events({"request_id": request_id}, limit=OF_REQUEST)
        found |= {one.id: one for one in page.results}
    if event["session"]:
        for side in ("<=", ">"):
            cursor = write_cursor(side, event["id"])
            page = reading.find_events({"session": event["session"]}, cursor=cursor, limit=AROUND)
            found |= {one.id: one for one in page.results}
    others = [one.as_dict() for key, one in found.items() if key != event["id"]]
    return sorted([event, *others], key=lambda one: str(one["id"]))
