"""The shapes of answers that more than one endpoint gives."""

from typing import Any

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


def listing(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that fits on one page."""
    return {"results": results, "next": None, "previous": None}
