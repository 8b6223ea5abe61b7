"""What the limits hold against an account or a source, and how an operator lifts it by django-axes' names.

Looking writes nothing and is no event. Lifting is one `account.unlock` event, in the transaction of what it lifts;
where that takes many transactions, before the first: nothing is lifted unrecorded. The second step stays locked:
`unlock` opens both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason
from mfa.models import TotpAuthenticator
from secure_auth import addresses, devices, refusals, second_factor, sessions
from secure_auth.acting import Actor, Refused
from secure_auth.models import PendingLogin, Registration, User
from throttling import inspection, lanes, lockout
from throttling.address import source_key, wide_source_key
from throttling.limits import KEY_KINDS
from throttling.reservations import BucketStatus

ACCOUNT_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Standing:
    """How one limit stands for one key. `key` is empty for the account itself, and begins with the id of a registration
    that is to be confirmed; `used` behind a lock is `allowed`.
    """

    limit: str
    kind: str
    key: str
    used: int
    allowed: int
    in_flight: int
    locked_until: datetime | None
    level: int

    @property
    def stays_closed(self) -> bool:
        """Whether only a clear opens it again."""
        limit = settings.LIMITS[self.limit]
        return self.used >= self.allowed and not (
            limit.window_seconds or limit.forget_seconds or limit.lock_seconds
        )


@dataclass(frozen=True)
class Attempt:
    """Wrong passwords of one account, from one source or (`ip` empty) from anywhere."""

    ip: str
    username: str
    failures: int
    locked_until: datetime | None


def show(target: str) -> list[Standing]:
    """Every limit that counts something for an e-mail address, known or not, or for an IP address or a source as shown.

    Raises:
        Refused: it is neither.
    """
    owners = dict.fromkeys(_owners_of_source(target), "") or _owners_of_account(target)
    return [_standing(one, of) for owner, of in owners.items() for one in inspection.status(owner)]


def _owners_of_source(target: str) -> list[str]:
    ip = _address_in(target)
    if ip is None:
        return []
    source, wide = source_key(ip), wide_source_key(ip)
    owners = [f"source:{source}", lanes.spraying_owner(source), f"mail:{source}", lanes.devices_owner(ip)]
    return [*owners, *([f"source:{wide}", f"mail:{wide}"] if wide else [])]


def _owners_of_account(target: str) -> dict[str, str]:
    """Each owner, and which registration of the address it is, if it is one."""
    try:
        address = addresses.parse_address(target)
    except ValueError as error:
        raise Refused("this is neither an e-mail address nor an IP address") from error
    user = User.objects.filter(email_key=address.key).first()
    own = [f"account:{address.account}", f"mail:{address.account}", *(_owners_of_user(user) if user else [])]
    begun = Registration.objects.filter(email_key=address.key).order_by("pk").values_list("pk", flat=True)
    confirmed = {f"account:{addresses.account_id(pk)}": f"registration {pk}" for pk in begun}
    return {**dict.fromkeys(own, ""), **confirmed}


def _owners_of_user(user: User) -> list[str]:
    now = timezone.now()
    known = devices.live_devices(now).filter(user=user).values_list("pk", flat=True)
    logins = PendingLogin.objects.filter(user=user, ended_at=None, expires_at__gt=now)
    live = sessions.live_sessions(user.pk, now).values_list("pk", flat=True)
    binding = TotpAuthenticator.objects.filter(user=user, confirmed_at=None)
    return [
        f"account:{user.pk}",
        *(f"device:{pk}" for pk in known),
        *(f"login:{pk}" for pk in logins.values_list("pk", flat=True)),
        *(f"login:enrol:{pk}" for pk in binding.values_list("pk", flat=True)),
        *(f"session:{pk}" for pk in live),
        *(f"login:{second_factor.lane_of(pk)}" for pk in live),
    ]


def _standing(bucket: BucketStatus, of: str = "") -> Standing:
    kind, allowed = KEY_KINDS[bucket.purpose], settings.LIMITS[bucket.purpose].allowed
    if kind in ("account", "address"):
        key = ""
    else:
        key = bucket.key if kind == "account_source" else bucket.owner.partition(":")[2]
    key = f"{of} {key}".strip()
    used = allowed if bucket.locked_until else bucket.used
    return Standing(
        bucket.purpose, kind, key, used, allowed, bucket.in_flight, bucket.locked_until, bucket.level
    )


def list_attempts() -> Iterator[Attempt]:
    """Wrong passwords that count now, by account and source. An address without an account shows as its opaque id."""
    names: dict[str, str] = {}
    for number, one in enumerate(inspection.survey(*lanes.PASSWORD_PURPOSES)):
        if number == 0:
            known = User.objects.values_list("email_key", "email")
            names = {addresses.account_id(key): email for key, email in known.iterator()}
        account, standing = one.owner.removeprefix("account:"), _standing(one)
        yield Attempt(one.key, names.get(account, account), standing.used, one.locked_until)


def reset(*, command: str, actor: Actor, username: str | None = None, ip: str | None = None) -> int:
    """Lift the password's locks of an account, at a source, or (neither given) of all accounts; how many limits
    held something.

    `username` is an e-mail address or the opaque id that list_attempts() tells, `ip` an address or a source as it is
    told there.

    Raises:
        Refused: the IP address is none.
    """
    if ip is not None:
        ip = _address_in(ip)
        if ip is None:
            raise Refused("this is not an IP address")
    account, event = _account_and_event(username, f"{command} {ip or ''} {actor.reason}", actor)
    if username is None:
        refusals.record(event)
        return lockout.reset(ip=ip)
    with transaction.atomic():
        count = lockout.reset(account=account, ip=ip)
        append(event)
    return count


def _account_and_event(username: str | None, note: str, actor: Actor) -> tuple[str, NewEvent]:
    account, user = username or "", ""
    if username is not None and not ACCOUNT_ID.fullmatch(username):
        address = addresses.identify(username)
        account = address.account
        user = User.objects.filter(email_key=address.key).values_list("pk", flat=True).first() or ""
    event = NewEvent(
        type=EventType.ACCOUNT_UNLOCK,
        outcome=Outcome.SUCCESS,
        reason=Reason.BY_COMMAND,
        source=actor.source,
        user=user,
        subject="" if user else account,
        text={"note": " ".join(note.split())},
    )
    return account, event


def _address_in(source: str) -> str | None:
    """An IP address as it is, and of a source as it is shown, an IPv6 /64, its first one; None for anything else."""
    text = source.removesuffix("/64") if ":" in source else source
    try:
        return str(ip_address(text))
    except ValueError:
        return None
