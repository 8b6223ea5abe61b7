"""One's own sessions, devices and everything else as JSON, in the API's answers and in what a page downloads."""

from typing import Any

from secure_auth.agents import describe_agent
from secure_auth.models import KnownDevice, Session


def describe_session(session: Session, *, current: str) -> dict[str, Any]:
    """A session as its owner sees it."""
    return {
        "id": session.id,
        "current": session.id == current,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "ip": session.ip,
        "device": describe_agent(session.user_agent).words,
        "user_agent": session.user_agent,
    }


def describe_known_device(device: KnownDevice) -> dict[str, Any]:
    """A known device as its owner sees it."""
    return {
        "id": device.id,
        "device": describe_agent(device.user_agent).words,
        "user_agent": device.user_agent,
        "created_at": device.created_at,
        "last_used_at": device.last_used_at,
        "expires_at": device.expires_at,
    }


def describe_person(found: dict[str, Any], *, current: str) -> dict[str, Any]:
    """Everything about a person, with its parts as their own endpoints answer them."""
    return {
        **found,
        "authenticators": [vars(one) for one in found["authenticators"]],
        "sessions": [describe_session(row, current=current) for row in found["sessions"]],
        "devices": [describe_known_device(row) for row in found["devices"]],
    }
