"""Who acts upon an account that is not his own, what the log says of it, and what ends with it."""

from dataclasses import dataclass, replace
from datetime import datetime

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import accounts, devices, links, pending, sessions
from secure_auth.models import MailToken, User


class Refused(Exception):
    """The action cannot be done; the message says why, for an operator, the reason for the log."""

    def __init__(self, message: str, reason: Reason = Reason.NOT_ALLOWED) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Actor:
    """Who acts: an admin by id and session, or the command line, and why."""

    source: Source
    user_id: str = ""
    session_id: str = ""
    reason: str = ""

    @property
    def details(self) -> dict[str, str]:
        """What every event of the action says of who acted: in clear, so that no erasure of the target hides it."""
        return {"actor": self.user_id} if self.user_id else {}


def lock_target(user: User) -> User:
    """The account as it is by now, locked: what is told of it goes to no mailbox that it has left since it was read.

    Raises:
        Refused: it was deleted meanwhile.
    """
    locked = pending.lock_account(user.pk)
    if locked is None or locked.is_gone:
        raise Refused("the account was deleted meanwhile", Reason.ACCOUNT_DELETED)
    return locked


def action_event(
    kind: EventType, user_id: str, actor: Actor, reason: Reason = Reason.NONE, **details: object
) -> NewEvent:
    """What an action says: upon whom, by whom and why."""
    return NewEvent(
        type=kind,
        outcome=Outcome.SUCCESS,
        reason=reason or (Reason.BY_ADMIN if actor.user_id else Reason.BY_COMMAND),
        source=actor.source,
        user=user_id,
        session=actor.session_id,
        details={**details, **actor.details},
        text={"note": actor.reason} if actor.reason else {},
    )


def refusal_event(kind: EventType, user_id: str, actor: Actor, reason: Reason) -> NewEvent:
    """The same of an action that was refused."""
    return replace(action_event(kind, user_id, actor, reason), outcome=Outcome.FAILURE)


def end_everything(user: User, reason: Reason, actor: Actor, now: datetime) -> list[NewEvent]:
    """End sessions, devices and mailed links of an account; the events that say so are for the caller to append."""
    ended = sessions.end_sessions(user.pk, reason=reason, now=now)
    forgotten = devices.forget_devices(user.pk, now=now)
    links.kill_links(user.pk, *MailToken.Purpose, now=now)
    return accounts.revocations(ended, user.pk, reason, actor.source, device_ids=forgotten, **actor.details)
