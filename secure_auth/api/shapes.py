"""The shapes of answers that more than one endpoint gives."""

from typing import Any

from secure_auth.agents import describe_agent
from secure_auth.models import KnownDevice, Session
from secure_auth.pending import PasswordProved
from secure_auth.tokens import TokenPair


def login_answer(proved: PasswordProved) -> dict[str, Any]:
    """The answer to a proved password."""
    return {
        "partial_token": proved.partial_token,
        "expires_in": proved.expires_in,
        "next": proved.next,
        "methods": list(proved.methods),
    }


def pair_answer(pair: TokenPair) -> dict[str, Any]:
    """A token pair."""
    change = {"password_change_required": True} if pair.password_change_required else {}
    return {
        "access": pair.access,
        "refresh": pair.refresh,
        "token_type": "Bearer",
        "expires_in": pair.expires_in,
        "refresh_expires_in": pair.refresh_expires_in,
        "session_id": pair.session_id,
        **change,
    }


def session_answer(session: Session, *, current: str) -> dict[str, Any]:
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


def device_answer(device: KnownDevice) -> dict[str, Any]:
    """A known device as its owner sees it."""
    return {
        "id": device.id,
        "device": describe_agent(device.user_agent).words,
        "user_agent": device.user_agent,
        "created_at": device.created_at,
        "last_used_at": device.last_used_at,
        "expires_at": device.expires_at,
    }


def personal_answer(found: dict[str, Any], *, current: str) -> dict[str, Any]:
    """Everything about a person, with its parts as their own endpoints answer them."""
    return {
        **found,
        "authenticators": [vars(one) for one in found["authenticators"]],
        "sessions": [session_answer(row, current=current) for row in found["sessions"]],
        "devices": [device_answer(row) for row in found["devices"]],
    }


def listing(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that fits on one page."""
    return {"results": results, "next": None, "previous": None}
