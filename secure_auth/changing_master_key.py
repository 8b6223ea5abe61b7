"""A change of the master key: every key of every ring is sealed anew, while the service runs.

All nodes are started with the new key and MASTER_KEY_PREVIOUS first, so that each opens what is sealed by either; from
then on no node seals by the old one. A run that died is finished by the next: what is done opens by the new key alone.
"""

from cryptography.exceptions import InvalidTag
from django.db import transaction

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from audit.vocabulary import KeyPurpose
from secure_auth import keys
from secure_auth.acting import Refused
from secure_auth.master_key import fingerprint, master_key, master_keys
from secure_auth.models import Key


def seal_anew(*, source: Source) -> int:
    """Seal with the master key what still is with the one before; how many keys of the rings.

    Raises:
        Refused: a key opens by neither.
    """
    with transaction.atomic():
        rows = Key.objects.exclude(state=Key.State.GONE).order_by("kid")
        done = sum(_seal_anew(row) for row in rows)
        if done:
            event = NewEvent(
                type=EventType.KEY_ROTATE,
                outcome=Outcome.SUCCESS,
                reason=Reason.ROTATION,
                source=source,
                details={
                    "key_id": fingerprint(master_key()),
                    "purpose": KeyPurpose.MASTER,
                    "secrets": done,
                },
            )
            append(event)
    return done


def _seal_anew(row: Key) -> bool:
    try:
        keys.open_secret(row, [master_key()])
    except InvalidTag:
        return _replace(row)
    return False


def _replace(row: Key) -> bool:
    """Compare-and-swap: a key that was destroyed meanwhile stays so."""
    try:
        secret = keys.open_secret(row, master_keys())
    except InvalidTag as error:
        raise Refused(
            f"the {row.purpose} key {row.kid} opens neither by the master key nor by MASTER_KEY_PREVIOUS"
        ) from error
    sealed = keys.seal(secret, key=master_key(), context=f"{row.purpose}:{row.kid}")
    return bool(Key.objects.filter(kid=row.kid, sealed=bytes(row.sealed)).update(sealed=sealed))
