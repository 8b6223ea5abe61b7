"""Accounts that move away: as JSON lines or CSV that import_users reads again.

Hashes and TOTP secrets leave only when they are asked for. That they do is committed before the first byte leaves.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from audit.formats.csv_rows import harmless, written
from audit.validation import rfc3339
from mfa import totp
from mfa.models import TotpAuthenticator
from secure_auth import factors
from secure_auth.models import User
from secure_auth.transfer.fields import UNUSABLE

PAGE = 500
COLUMNS = ("email", "role", "email_verified", "disabled", "created_at")


@dataclass(frozen=True)
class Wish:
    """What is to leave: in which format, and with which secrets."""

    format: str
    with_hashes: bool
    with_totp: bool
    source: Source

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the fields."""
        return (*COLUMNS, *(["password"] * self.with_hashes), *(["totp_secrets"] * self.with_totp))


def export_users(wish: Wish) -> Iterator[str]:
    """Record the export, then the lines of all accounts, oldest first; with memory for PAGE of them."""
    with transaction.atomic():
        append(
            NewEvent(
                type=EventType.USERS_EXPORT,
                outcome=Outcome.SUCCESS,
                reason=Reason.BY_COMMAND,
                source=wish.source,
                details={
                    "accounts": User.objects.count(),
                    "hashes": wish.with_hashes,
                    "totp": wish.with_totp,
                },
            )
        )
    return _lines(wish)


def _lines(wish: Wish) -> Iterator[str]:
    if wish.format == "csv":
        yield written(list(wish.columns))
    last = ""
    while page := list(User.objects.filter(pk__gt=last).order_by("pk")[:PAGE]):
        last = page[-1].pk
        secrets = _secrets_of(page) if wish.with_totp else {}
        for user in page:
            if "@" in user.email:  # not one that is being erased
                yield _line(user, secrets.get(user.pk, []), wish)


def _secrets_of(page: list[User]) -> dict[str, list[str]]:
    rows = TotpAuthenticator.objects.filter(user__in=page, confirmed_at__isnull=False).order_by("created_at")
    found: dict[str, list[str]] = {}
    for row in rows:
        secret = factors.unseal_totp(row)
        if (
            secret is not None
        ):  # a damaged one is told to the operator's log: it opens nothing elsewhere either
            found.setdefault(row.user_id, []).append(_spelled(secret, totp.scheme_of(row)))
    return found


def _spelled(secret: bytes, scheme: totp.Scheme) -> str:
    """Base32, behind its scheme where that is not what every app assumes."""
    own = "" if scheme == totp.APPS else f"{scheme.algorithm}/{scheme.digits}:"
    return own + base64.b32encode(secret).decode().rstrip("=")


def _line(user: User, secrets: list[str], wish: Wish) -> str:
    values: dict[str, Any] = {
        "email": user.email,
        "role": user.role or "none",
        "email_verified": True,
        "disabled": user.disabled_at is not None,
        "created_at": rfc3339(user.created_at),
    }
    if wish.with_hashes:
        values["password"] = "" if user.password.startswith(UNUSABLE) else user.password
    if wish.with_totp:
        values["totp_secrets"] = secrets
    if wish.format == "csv":
        return written([_cell(values[name]) for name in wish.columns])
    return json.dumps(values, ensure_ascii=False) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(value)
    return str(value).lower() if isinstance(value, bool) else harmless(str(value))
