"""This service as a relying party of WebAuthn: the mechanism of mfa with this installation's settings handed to it."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from mfa import ceremonies, webauthn
from mfa.ceremonies import Holder
from mfa.models import Ceremony, Passkey
from secure_auth import digest_ring, keys
from secure_auth.models import User

BATCH = 500
DEVICE_BOUND = ("hwk", "phr")
SYNCED = ("swk", "phr")


@dataclass(frozen=True)
class Response:
    """What a passkey answered, as it was judged before any lock: to which challenge, and the assertion if it is one."""

    ceremony: Ceremony | None = None
    assertion: webauthn.Assertion | None = None


def party() -> webauthn.RelyingParty:
    """Id, name, origins and policy."""
    return webauthn.RelyingParty(
        id=settings.WEBAUTHN_RP_ID,
        name=settings.PRODUCT_NAME,
        origins=settings.WEBAUTHN_ORIGINS,
        user_verification=settings.WEBAUTHN_USER_VERIFICATION,
        attestation=settings.WEBAUTHN_ATTESTATION,
    )


def passkeys_of(user_id: str) -> list[Passkey]:
    """The account's passkeys, oldest first."""
    return list(Passkey.objects.filter(user_id=user_id).order_by("created_at", "pk"))


def seal(passkey: Passkey) -> str:
    """The digest under the key `key_id` that shows that this service bound a passkey, to this account."""
    fixed = (passkey.credential_id, passkey.user_handle, bytes(passkey.public_key).hex(), passkey.aaguid)
    eligible = str(bool(passkey.backup_eligible))
    return keys.digest("passkey", passkey.pk, passkey.user_id, *fixed, eligible, kid=passkey.key_id)


def is_genuine(passkey: Passkey) -> bool:
    """Whether a row is as this service wrote it: who writes into the database must not plant a factor."""
    try:
        return hmac.compare_digest(passkey.seal, seal(passkey))
    except KeyError:
        return False


def reseal_passkeys() -> int:
    """Seal anew, with the active key, what retired digest keys sealed; how many. For the worker.

    A compare-and-swap for each row. What another hand wrote is left as it is: it must not become genuine.
    """
    retired, done, after = digest_ring.retired_kids(), 0, ""
    sealed = Passkey.objects.filter(key_id__in=retired).order_by("pk")
    while retired and (batch := list(sealed.filter(pk__gt=after)[:BATCH])):
        after = batch[-1].pk
        done += sum(_reseal(passkey) for passkey in batch if is_genuine(passkey))
    return done


def _reseal(passkey: Passkey) -> int:
    same = Passkey.objects.filter(pk=passkey.pk, key_id=passkey.key_id, seal=passkey.seal)
    passkey.key_id = digest_ring.successor_of(passkey.key_id)
    return same.update(key_id=passkey.key_id, seal=seal(passkey))


def has_sealed(kid: str) -> bool:
    """Whether a passkey that counts is sealed with a digest key."""
    return any(is_genuine(passkey) for passkey in Passkey.objects.filter(key_id=kid).iterator())


def new_passkey(user: User, name: str, ceremony: Ceremony, made: webauthn.NewCredential) -> Passkey:
    """The sealed row of a credential that was just made."""
    row = Passkey(user=user, name=name, user_handle=ceremony.user_handle, **vars(made))
    row.key_id = keys.digest_kid()
    row.seal = seal(row)
    return row


def offer_creation(user: User, *, session_id: str, now: datetime) -> webauthn.Json:
    """Options for a new passkey, under a challenge of this session and the account's lock.

    All passkeys of an account share one user handle, those that are under way too: an authenticator whose answer was
    lost then replaces what it made instead of keeping a second account for the same person.
    """
    present = passkeys_of(user.pk)
    handle = present[0].user_handle if present else ceremonies.handle_under_way(user.pk, now=now)
    handle = handle or webauthn.create_handle()
    holder = Holder(user.pk, Ceremony.Purpose.BIND, session_id)
    ceremony = ceremonies.open_ceremony(holder, now=now, user_handle=handle)
    return webauthn.creation_options(
        party(), challenge=ceremony.challenge, user_handle=handle, account=user.email, present=present
    )


def offer_request(holder: Holder, present: list[Passkey], *, now: datetime) -> webauthn.Json:
    """Options to show one of these passkeys, under a challenge of this holder."""
    ceremony = ceremonies.open_ceremony(holder, now=now)
    return webauthn.request_options(party(), challenge=ceremony.challenge, present=present)


def judge_creation(
    holder: Holder, credential: Mapping[str, Any], *, now: datetime
) -> tuple[Ceremony | None, webauthn.NewCredential | None]:
    """The ceremony that a response belongs to and what was made in it; outside any transaction, it verifies."""
    ceremony = None
    try:
        ceremony = ceremonies.find_ceremony(holder, webauthn.read_challenge(credential), now=now)
        if ceremony is None:
            return None, None
        return ceremony, webauthn.verify_registration(party(), credential, challenge=ceremony.challenge)
    except webauthn.Refused:
        return ceremony, None


def judge_assertion(holder: Holder, credential: Mapping[str, Any], *, now: datetime) -> Response:
    """Verify a response by the passkey of the holder's account that it names; outside any transaction."""
    ceremony = None
    try:
        ceremony = ceremonies.find_ceremony(holder, webauthn.read_challenge(credential), now=now)
        own = Passkey.objects.filter(user_id=holder.user_id, credential_id=credential["id"]).first()
        if ceremony is None or own is None or not is_genuine(own):
            return Response(ceremony)
        assertion = webauthn.verify_assertion(party(), credential, own, challenge=ceremony.challenge)
        return Response(ceremony, assertion)
    except webauthn.Refused:
        return Response(ceremony)


def amr_of(passkey: Passkey) -> tuple[str, ...]:
    """How a proof by this passkey stands in amr (RFC 8176): a key that may leave its device is a software key."""
    return SYNCED if passkey.backup_eligible else DEVICE_BOUND
