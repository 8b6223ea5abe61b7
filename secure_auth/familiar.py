"""Where the logins of an account usually come from, so that its owner hears of one from elsewhere.

A source is a kind of browser in a network: the User-Agent's words without versions, and the IPv4 /24 or IPv6 /48. Both
must have been seen together: a thief who copies the owner's User-Agent is told of all the same. Only a keyed digest
of them is kept, for as long as a known device is.
"""

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.conf import settings

from audit.events import Source
from secure_auth import agents, digest_ring, keys
from secure_auth.models import FamiliarSource, PendingLogin

RENEW_AFTER = timedelta(days=1)  # so that the logins of a day cost one statement, not each its own
PREFIXES = {4: 24, 6: 48}


def digest_source(user_id: str, source: Source) -> str:
    """The keyed digest that an account's source is known by from now on."""
    return keys.digest("familiar", user_id, *_describe(source))


def _known_digests(user_id: str, source: Source) -> list[str]:
    """All digests that a source may be known by, of older keys too."""
    return digest_ring.digests("familiar", user_id, *_describe(source))


def _describe(source: Source) -> tuple[str, str]:
    return agents.describe_agent(source.user_agent).kind, _network(source.ip)


def _network(ip: str) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return ""
    return str(ip_network((address, PREFIXES[address.version]), strict=False))


def last_seen(user_id: str, source: Source) -> tuple[str, list[str]]:
    """When a login from this source was completed last: a query within another, and its values."""
    known = _known_digests(user_id, source)
    places = ", ".join(["%s"] * len(known))
    return f"SELECT max(seen_at) FROM secure_auth_familiarsource WHERE digest IN ({places})", known  # noqa: S608 places


def is_new(login: PendingLogin, *, now: datetime) -> bool:
    """Whether the owner should hear of a login that pending.lock_pending() read.

    Not of the enrolment, which is told by a mail of its own, nor of a device that showed its token.
    """
    if login.next != PendingLogin.Next.VERIFY or login.device_id:
        return False
    seen_at: datetime | None = login.familiar_at  # type: ignore[attr-defined]
    return seen_at is None or seen_at <= now - _lifetime()


def note_source(login: PendingLogin, source: Source, *, now: datetime) -> None:
    """Make the source of a completed login familiar, or familiar for longer: at most one statement a day."""
    seen_at = getattr(login, "familiar_at", None)
    if seen_at is None or seen_at <= now - RENEW_AFTER:
        row = FamiliarSource(digest=digest_source(login.user_id, source), user_id=login.user_id, seen_at=now)
        FamiliarSource.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["digest"], update_fields=["seen_at"]
        )


def forget_sources(user_id: str, *, keep: Source | None = None) -> None:
    """After a change of what opens the account, every source is new, but the one that made the change."""
    sources = FamiliarSource.objects.filter(user_id=user_id)
    (sources.exclude(pk__in=_known_digests(user_id, keep)) if keep else sources).delete()


def prune(now: datetime) -> None:
    """Drop what was not seen for so long that it counts as new."""
    FamiliarSource.objects.filter(seen_at__lte=now - _lifetime()).delete()


def has_seen_before(moment: datetime, *, now: datetime) -> bool:
    """Whether a source counts as familiar that was not seen since a moment."""
    return FamiliarSource.objects.filter(seen_at__lte=moment, seen_at__gt=now - _lifetime()).exists()


def _lifetime() -> timedelta:
    return timedelta(seconds=settings.DEVICE_SECONDS)
