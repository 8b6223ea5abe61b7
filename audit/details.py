"""What the details of each event type may hold: closed and typed.

Allowed are enums, whole numbers, booleans, moments, opaque ids, and tuples of enums. None means absent. Free
text has no place here: it goes into `NewEvent.text` under a `Text` name, which is stored as personal data.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from audit import vocabulary
from audit.events import EventType as Type
from audit.events import Reason

Id = NewType("Id", str)  # [A-Za-z0-9_-]{1,64}: a row id, a key id
Origin = NewType(
    "Origin", str
)  # the name of a log or a witness (C2SP signed-note): printable ASCII without blanks and plus
Ids = NewType("Ids", tuple[str, ...])  # up to 1000 ids: what fits into a leaf
Note = NewType("Note", str)  # a signed checkpoint, as text


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDetails:
    """Nothing but the event itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, or the invitation it came from."""

    invitation: Id | None = None
    role: vocabulary.Role | None = None
    previous_role: vocabulary.Role | None = None
    sessions: int | None = None  # how many ended with it
    imported: Id | None = None  # the import that brought it
    authenticators: int | None = None  # how many it brought along
    login: Id | None = None  # the first login, that its confirmation begins
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Many accounts that came or went at once: which file, how many, and which secrets were with them."""

    imported: Id | None = None  # the import, by a digest of its file
    accounts: int
    refused: int | None = None
    skipped: int | None = None
    wrapped: bool | None = None
    hashes: bool | None = None
    totp: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The right to make an account, and the role that it will have."""

    invitation: Id | None = None
    role: vocabulary.Role | None = None
    actor: Id | None = None  # who did it: there is no account yet that the event could be about


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock that began or ended. Without `until` it lasts until it is cleared."""

    limit: vocabulary.LimitPurpose | None = None
    level: int | None = None
    until: datetime | None = None
    device: Id | None = None
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A step of a login; `login` is the pending login's id."""

    login: Id | None = None
    next: vocabulary.Next | None = None
    method: vocabulary.Method | None = None
    authenticator: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """An authenticator or a set of recovery codes."""

    authenticator: Id | None = None
    method: vocabulary.Method | None = None
    login: Id | None = None
    left: int | None = None
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorReset:
    """A reset of all second factors; with a delay it is asked for first, and takes effect at `effective_at`."""

    reset: Id | None = None
    effective_at: datetime | None = None
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """A change of address, and which of the two mailboxes confirmed it."""

    change: Id | None = None
    end: vocabulary.MailboxEnd | None = None
    sessions: int | None = None  # how many ended with it
    actor: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A remembered device."""

    device: Id | None = None
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that opened, ended or was to end."""

    login: Id | None = None
    amr: tuple[vocabulary.Amr, ...] | None = None
    new_device: bool | None = None  # no familiar device or network: the owner is told by mail
    actor: Id | None = None  # who did it, where that is not the `user` of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, by its kind, and who asked about it; never the token."""

    kind: vocabulary.TokenKind | None = None
    client: Id | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHit:
    """A limit that refused: what it keeps a count for, and what it had counted."""

    limit: vocabulary.LimitPurpose
    key: vocabulary.LimitKey
    count: int
    retry_after_seconds: int | None = None
    login: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStore:
    """The store that a node now decides short limits in."""

    store: vocabulary.LimitStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The role that was missing."""

    role: vocabulary.Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of introspection."""

    client: Id | None = None
    rotated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a ring."""

    key_id: Id
    purpose: vocabulary.KeyPurpose
    sessions: int | None = None  # how many ended with it
    secrets: int | None = (
        None  # that it sealed or digested: at a rotation, made anew since, or that do not open
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of the log, and how much of it."""

    view: vocabulary.View
    format: vocabulary.Format | None = None
    event: Id | None = None
    results: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A verification of the whole log that somebody asked for, and how many entries it read."""

    verification: Id | None = None
    entries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What retention covers: bodies and personal data of events before `before_ms` (Unix time).

    Only those among the first `entries` entries of log `log`, or in a log before it: whoever deletes a later event
    can't hide it behind an older one's name.
    """

    events: int
    before_ms: int
    log: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The events whose personal data an erasure covers: those and no others."""

    events: int
    erased: Ids | None = None
    actor: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail of the outbox."""

    message: Id
    template: vocabulary.Template
    attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapsed:
    """`count` further events like `first_event` in the window that began with it."""

    type: Type
    reason: Reason | None = None
    first_event: Id
    count: int
    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStart:
    """The first entry of a log; a successor says of the log before it what is there, and what was ever known of it."""

    log: int
    origin: Origin
    checkpoint: Note | None = None  # the last one that is known
    size: int | None = None  # entries that the log before has here
    known_size: int | None = None  # entries that it is known to have had
    known_by: vocabulary.Keeper | None = None
    witness: Origin | None = None  # whose word `known_size` is, where a witness knew it
    unanswered: int | None = None  # configured witnesses that said nothing of it, and may know more


@dataclass(frozen=True, slots=True, kw_only=True)
class Inconsistency:
    """A head that contradicts a checkpoint which is known: nothing is signed until a successor log starts."""

    log: int
    size: int
    known_size: int
    known_by: vocabulary.Keeper
    witness: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """An attack that a rule recognised; `count` is how many events showed it then."""

    detection: Id | None = None
    rule: vocabulary.DetectionRule | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A message that was given up, or was and is sent anew."""

    message: Id
    detection: Id
    attempts: int
