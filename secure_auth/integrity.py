"""How the log stands: its heads and checkpoints, what waits, what witnesses say. For auditors; looking is an event."""

import base64
from dataclasses import dataclass

from django.conf import settings

from audit import checkpoints, cosignatures, tree
from audit.checkpoints import Stored
from audit.events import Source
from audit.tree import Head
from secure_auth import evidence, integration, verifications
from secure_auth.access import Signed
from secure_auth.console_tables import LogVerification

SHOWN_CHECKPOINTS = 10


@dataclass(frozen=True)
class WitnessStanding:
    """A configured witness: how much of the log it cosigned, and what it holds against it."""

    name: str
    url: str
    cosigned: int
    contradiction: str


@dataclass(frozen=True)
class Health:
    """The log at a glance. Ages are in seconds; None before the first checkpoint."""

    head: Head
    signed_size: int
    checkpoint_age: float | None
    pending: int
    pending_age: float
    witnesses: list[WitnessStanding]
    trouble: str

    @property
    def cosigning(self) -> int:
        """How many witnesses cosigned and contradict nothing."""
        return sum(1 for one in self.witnesses if one.cosigned and not one.contradiction)

    @property
    def root(self) -> str:
        """The head's root in base64."""
        return base64.b64encode(self.head.root).decode()


@dataclass(frozen=True)
class Integrity:
    """What the integrity page shows beside the log's health."""

    health: Health
    checkpoint: str
    stored: list[Stored]
    vkeys: list[str]
    verifications: list[LogVerification]

    @property
    def open_verification(self) -> LogVerification | None:
        """The one that is under way."""
        return next((one for one in self.verifications if one.is_open), None)


def show_health(*, signed: Signed, source: Source) -> Health | None:
    """How the current log stands, for an auditor; None before the first has begun."""
    evidence.record_log_reading(signed=signed, source=source)
    return _health()


def show_integrity(*, signed: Signed, source: Source) -> Integrity | None:
    """The same with checkpoints, keys and verifications."""
    evidence.record_log_reading(signed=signed, source=source)
    health = _health()
    if health is None:
        return None
    newest = checkpoints.newest(health.head.log)
    return Integrity(
        health=health,
        checkpoint=newest.note if newest else "",
        stored=checkpoints.recent(health.head.log, SHOWN_CHECKPOINTS),
        vkeys=integration.verifier_keys(health.head.origin),
        verifications=verifications.newest(),
    )


def show_progress(*, signed: Signed, source: Source) -> LogVerification | None:
    """The newest verification, for an auditor whose page follows it; a look at the log like the page's own.

    A page asks every second: within the window all of it is one event, and the page's own look is the same one.
    """
    evidence.record_log_reading(signed=signed, source=source)
    return next(iter(verifications.newest(1)), None)


def _health() -> Health | None:
    head = tree.current_head()
    if head is None:
        return None
    stored = checkpoints.recent(head.log, 1)
    count, age = tree.pending()
    try:
        trouble = integration.trouble_path().read_text().strip()
    except OSError:
        trouble = ""
    return Health(
        head=head,
        signed_size=stored[0].size if stored else 0,
        checkpoint_age=checkpoints.newest_age_seconds(head.log),
        pending=count,
        pending_age=age,
        witnesses=_witnesses(head.log),
        trouble=trouble,
    )


def _witnesses(log: int) -> list[WitnessStanding]:
    names = [witness.key.name for witness in settings.WITNESSES]
    against = {one.witness: one.why for one in cosignatures.contradictions(log, names)}
    return [
        WitnessStanding(
            witness.key.name,
            witness.url,
            cosignatures.cosigned_size(log, witness.key.name),
            against.get(witness.key.name, ""),
        )
        for witness in settings.WITNESSES
    ]
