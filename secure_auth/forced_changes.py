"""A password that must be changed: who said so, what it stops, what ends it.

The flag is read with the session at every request: a session of a flagged account opens the change and little else
(see api.common), and its access tokens are addressed to no other service. A change ends it, a reset too, by a password
that is another than before.
"""

from datetime import datetime
from typing import Any

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import outbox, passwords, refusals
from secure_auth.errors import validation_failed
from secure_auth.models import User

BY_OPERATOR, BREACHED = "required", "breached"
SETTLED: dict[str, Any] = {"must_change_password": "", "must_change_since": None}
UNCHANGED = "Choose another password than the present one."


def flag_breached(locked: User, *, source: Source, now: datetime) -> list[NewEvent]:
    """Have the owner of a password known from breaches change it; the events, none where it must be changed already.

    The account is locked by the caller. No login under way dies of it: this one goes on.
    """
    if locked.must_change_password:
        return []
    flag = {"must_change_password": BREACHED, "must_change_since": now}
    User.objects.filter(pk=locked.pk).update(**flag)
    tell_owner(locked, breached=True)
    flagged = NewEvent(
        type=EventType.PASSWORD_REQUIRE_CHANGE,
        outcome=Outcome.SUCCESS,
        reason=Reason.BREACHED_PASSWORD,
        source=source,
        user=locked.pk,
    )
    return [flagged]


def tell_owner(user: User, *, breached: bool) -> None:
    """Mail the owner that the password must be changed, in the present transaction."""
    outbox.queue_mail("password_change_required", to=user.email, why=BREACHED if breached else BY_OPERATOR)


def demand_another(password: str, current: str, *, refused: NewEvent) -> None:
    """Record and raise the refusal of a new password that is the present one.

    Raises:
        Problem: validation_failed, code unchanged.
    """
    if passwords.normalize(password) == passwords.normalize(current):
        refusals.record_collapsed(refused, key=refused.user)
        raise validation_failed("new_password", "unchanged", UNCHANGED)


def is_repeated(user: User, password: str) -> bool:
    """Whether somebody who must change the password resets it to the present one; one hash for those, none for others.

    It is taken all the same: a refusal would let who reads the mailbox try the present password without a limit.
    """
    return bool(user.must_change_password) and passwords.check_password(password, user.password).matches


def settled_by_reset(read: User, locked: User, *, repeated: bool) -> dict[str, Any]:
    """What a reset changes of the flag: nothing where it set the same password, or where the flag came meanwhile."""
    return {} if repeated or read.must_change_since != locked.must_change_since else SETTLED
