"""Events that tests append."""

import secrets
from typing import Any

from django.db import transaction

from audit.append import NewEvent, append, append_collapsed
from audit.events import EventType, Outcome, Reason, Source

HERE = Source(ip="192.0.2.1", user_agent="Tester/1.0", request_id="r-1", foreign_request_id="theirs")


def failure(**changes: Any) -> NewEvent:
    """A wrong password, changed."""
    values: dict[str, Any] = {
        "type": EventType.LOGIN_PASSWORD,
        "outcome": Outcome.FAILURE,
        "reason": Reason.WRONG_PASSWORD,
        "source": HERE,
        "user": "user-1",
    }
    return NewEvent(**{**values, **changes})


def limit_hit(ip: str = "192.0.2.1", **changes: Any) -> NewEvent:
    """A refusal by a limit, changed."""
    values: dict[str, Any] = {
        "type": EventType.LIMIT_EXCEEDED,
        "outcome": Outcome.FAILURE,
        "reason": Reason.RATE_LIMITED,
        "source": Source(ip=ip, request_id=secrets.token_hex(4)),
        "details": {"limit": "password_source", "key": "source", "count": 30},
    }
    return NewEvent(**{**values, **changes})


def committed(*events: NewEvent) -> tuple[str, ...]:
    with transaction.atomic():
        return append(*events)


def collapsed(event: NewEvent, **options: Any) -> bool:
    with transaction.atomic():
        return append_collapsed(event, **options)
