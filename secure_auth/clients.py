"""Clients: other services that ask about tokens (RFC 7662) with credentials of their own.

A client's secret is 256 random bits, shown once and kept as a keyed digest. It opens introspection and nothing else.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import digest_ring, keys, refusals
from secure_auth.acting import Actor, Refused
from secure_auth.models import Client, is_id

SECRET_BYTES = 32


class UnknownClient(Exception):
    """The credentials name no live client; recorded."""


@dataclass(frozen=True)
class Credentials:
    """What a new client is told, once."""

    client_id: str
    client_secret: str = field(repr=False)


def create_client(*, name: str, rotate: bool, actor: Actor) -> Credentials:
    """Make a client; with `rotate`, give the live client of this name a new secret, and the old one is dead.

    Raises:
        Refused: the name is taken, or there is none to rotate.
    """
    if not name or len(name) > Client.NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise Refused(
            f"a name has 1 to {Client.NAME_LENGTH} printable characters, no blank before or behind them"
        )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    try:
        with transaction.atomic():
            client = _find_for_rotation(name) if rotate else Client(name=name)
            client.key_id = keys.digest_kid()
            client.secret_digest = _digest(client.id, secret, client.key_id)
            client.save(force_insert=not rotate)
            append(_event(EventType.CLIENT_CREATE, client, actor, rotated=rotate))
    except IntegrityError as error:
        raise Refused("a client of this name exists; --rotate gives it a new secret") from error
    return Credentials(client.id, secret)


def _find_for_rotation(name: str) -> Client:
    client = Client.objects.select_for_update().filter(name=name, revoked_at=None).first()
    if client is None:
        raise Refused("no client has this name")
    return client


def _digest(client_id: str, secret: str, key_id: str) -> str:
    return keys.digest("client", client_id, secret, kid=key_id)


def _move_on(client: Client, secret: str) -> None:
    """Digest a secret that was right anew where its key is retired; one that was replaced meanwhile stays dead."""
    kid = digest_ring.successor_of(client.key_id)
    if kid != client.key_id:
        same = Client.objects.filter(pk=client.pk, secret_digest=client.secret_digest)
        same.update(key_id=kid, secret_digest=_digest(client.pk, secret, kid))


def _event(kind: EventType, client: Client, actor: Actor, **details: Any) -> NewEvent:
    return NewEvent(
        type=kind,
        outcome=Outcome.SUCCESS,
        reason=Reason.BY_COMMAND,
        source=actor.source,
        details={"client": client.id, **details},
        text={"name": client.name},
    )


def list_clients() -> list[Client]:
    """All clients, oldest first, revoked ones too."""
    return list(Client.objects.order_by("id"))


def revoke_client(*, client_id: str, actor: Actor) -> Client:
    """End a client's right to ask, from its next request on.

    Raises:
        Refused: no live client has this id.
    """
    with transaction.atomic():
        client = Client.objects.select_for_update().filter(pk=client_id, revoked_at=None).first()
        if client is None:
            raise Refused("no live client has this id")
        client.revoked_at = timezone.now()
        client.save(update_fields=["revoked_at"])
        append(_event(EventType.CLIENT_REVOKE, client, actor))
    return client


def authenticate_client(client_id: str, client_secret: str, *, source: Source) -> Client:
    """The live client of these credentials, read from the database each time.

    Raises:
        UnknownClient: there is none; recorded once a window.
    """
    named = Client.objects.filter(pk=client_id, revoked_at=None)
    client = named.first() if is_id(client_id) else None
    if client is not None:
        expected = _digest(client.id, client_secret, client.key_id)
        if hmac.compare_digest(expected, client.secret_digest):
            _move_on(client, client_secret)
            return client
    refused = NewEvent(
        type=EventType.TOKEN_INTROSPECT,
        outcome=Outcome.FAILURE,
        reason=Reason.WRONG_CLIENT if client_id else Reason.NO_CLIENT,
        source=source,
        details={"client": client.id} if client else {},
    )
    refusals.record_collapsed(refused, key=client.id if client else "")
    raise UnknownClient
