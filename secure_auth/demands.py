"""What an authenticated request must show beyond its token: a password that need not be changed first, a fresh second
factor, a role, that it is no other site's.

Each refusal is an event, once a window.
"""

import time
from dataclasses import replace

from django.conf import settings

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Source
from audit.vocabulary import Role, Text
from secure_auth import grants, refusals
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem, reauthentication_required

PATH_LENGTH = 200


def demand_fresh(
    signed: Signed, *, source: Source, max_age: int | None = None, acr_values: tuple[str, ...] = ()
) -> None:
    """Refuse what needs a second factor proved lately, by the word of the token (RFC 9470 section 4).

    `max_age` is in seconds, REAUTHENTICATION_SECONDS when None; of `acr_values`, if any, the login has to meet one.

    The session's own time would do for the thief of an older token as soon as its owner reauthenticates.

    Raises:
        Problem: reauthentication_required.
    """
    if max_age is None:
        max_age = settings.REAUTHENTICATION_SECONDS
    is_strong = not acr_values or signed.acr in acr_values
    if is_strong and time.time() - signed.auth_time <= max_age:
        return
    _record_denial(signed, Reason.REAUTHENTICATION_REQUIRED, source)
    raise reauthentication_required(max_age, acr_values)


def demand_highest(signed: Signed, *, source: Source) -> None:
    """Refuse a change of the factors by a proof that a phishing site can relay, where the account has a passkey.

    The use cases judge it again, under the account's lock.

    Raises:
        Problem: reauthentication_required.
    """
    if grants.lacks_highest(signed.user.pk, signed.amr):
        _record_denial(signed, Reason.REAUTHENTICATION_REQUIRED, source)
        raise reauthentication_required(settings.REAUTHENTICATION_SECONDS, (grants.PHISHING_RESISTANT,))


def demand_settled_password(signed: Signed, *, source: Source) -> None:
    """Refuse whoever must change the password first.

    Raises:
        Problem: password_change_required.
    """
    if signed.user.must_change_password:
        _record_denial(signed, Reason.PASSWORD_CHANGE_REQUIRED, source)
        raise Problem(Code.PASSWORD_CHANGE_REQUIRED)


def demand_role(signed: Signed, role: str, *, source: Source, path: str, route: str) -> None:
    """Refuse what needs a role; each door that is tried is told by itself, by the first `path` of its `route`.

    Raises:
        Problem: permission_denied.
    """
    if role in signed.user.roles:
        return
    denied = _denial(signed, Reason.ROLE_MISSING, source)
    missing = {"role": role} if role in set(Role) else {}  # an adopting project may ask for what nobody has
    told = replace(denied, details=missing, text={Text.PATH: path[:PATH_LENGTH]})
    refusals.record_collapsed(told, key=f"{signed.session.id} {route}")
    raise Problem(Code.PERMISSION_DENIED)


def cross_site(*, source: Source, user: str = "", session: str = "") -> Problem:
    """Record that a request may come from another site, once a window, and give the problem to raise."""
    event = NewEvent(
        type=EventType.PERMISSION_DENIED,
        outcome=Outcome.FAILURE,
        reason=Reason.CSRF,
        source=source,
        user=user,
        session=session,
    )
    refusals.record_collapsed(event, key=session or user)
    return Problem(Code.CSRF_FAILED)


def _record_denial(signed: Signed, reason: Reason, source: Source) -> None:
    """Once a window for a session."""
    refusals.record_collapsed(_denial(signed, reason, source), key=signed.session.id)


def _denial(signed: Signed, reason: Reason, source: Source) -> NewEvent:
    return NewEvent(
        type=EventType.PERMISSION_DENIED,
        outcome=Outcome.FAILURE,
        reason=reason,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
    )
