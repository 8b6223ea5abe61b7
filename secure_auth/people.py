"""One account as admins see it: its state, how it can sign in, where it is signed in. Looking is an event."""

from dataclasses import dataclass

from django.utils import timezone

from audit.events import Reason, Source
from audit.vocabulary import View
from mfa import recovery_codes
from secure_auth import devices, inventory, lockouts, recovery, review, sessions
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem
from secure_auth.inventory import Held
from secure_auth.lockouts import Standing
from secure_auth.models import FactorReset, KnownDevice, Session, User

MOST = 50


@dataclass(frozen=True)
class PersonRecord:
    """An account. `locks` are the limits that refuse it now, `reset` the reset of its second factor that waits."""

    user: User
    authenticators: list[Held]
    recovery_codes_left: int
    sessions: list[Session]
    devices: list[KnownDevice]
    locks: list[Standing]
    reset: FactorReset | None


def show_person(*, signed: Signed, user_id: str, source: Source) -> PersonRecord:
    """An account, for an admin.

    Raises:
        Problem: not_found.
    """
    user, now = User.present().filter(pk=user_id).first(), timezone.now()
    reason = Reason.NONE if user else Reason.NOT_FOUND
    review.record_reading(View.USERS, signed=signed, source=source, query=f"id={user_id}", reason=reason)
    if user is None:
        raise Problem(Code.NOT_FOUND)
    return PersonRecord(
        user=user,
        authenticators=inventory.list_authenticators(user.pk),
        recovery_codes_left=recovery_codes.count_left(user.pk),
        sessions=list(sessions.live_sessions(user.pk, now)[:MOST]),
        devices=list(devices.live_devices(now).filter(user=user).order_by("-created_at")[:MOST]),
        locks=[one for one in lockouts.show(user.email) if one.locked_until or one.stays_closed],
        reset=recovery.open_reset(user.pk),
    )
