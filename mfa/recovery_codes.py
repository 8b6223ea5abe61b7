"""Recovery codes: ten of 120 bits, kept as keyed digests, each spent once (NIST SP 800-63B-4 section 4.2.1.1)."""

import base64
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from mfa.models import RecoveryCode
from mfa.totp import Judgement

CODES = 10
FEW_LEFT = 3
CODE_BYTES = 15
GROUP = 4
CODE = re.compile(r"[A-Z2-7]{24}", re.ASCII)

Digest = Callable[[str], str]
Digests = Callable[[str], Sequence[str]]


def create_codes() -> list[str]:
    """Ten codes as people see them: 24 base32 characters in groups of 4."""
    return [_grouped(base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()) for _ in range(CODES)]


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def normalize_code(code: str) -> str | None:
    """The digested form, without dashes (typographic ones too), blanks and case; None for what cannot be a code."""
    bare = re.sub(r"[-\s\u2010-\u2015\u2212]", "", code).upper()
    return bare if CODE.fullmatch(bare) else None


def replace_codes(user_id: str, *, digest: Digest, key_id: str) -> list[str]:
    """Ten new codes for an account, by a digest with the key `key_id`; the old ones are dead."""
    RecoveryCode.objects.filter(user_id=user_id).delete()
    codes = create_codes()
    digests = [digest(normalize_code(code) or "") for code in codes]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user_id=user_id, digest=value, key_id=key_id) for value in digests
    )
    return codes


def kept_digests(user_id: str) -> set[str]:
    """How the present codes of an account are kept, the spent ones too."""
    return set(RecoveryCode.objects.filter(user_id=user_id).values_list("digest", flat=True))


def spend_code(user_id: str, code: str, *, digests: Digests, now: datetime) -> Judgement:
    """Use up a code, known by any of its digests: one conditional UPDATE, so that it is spent exactly once."""
    bare = normalize_code(code)
    if bare is None:
        return Judgement.WRONG
    own = RecoveryCode.objects.filter(user_id=user_id, digest__in=digests(bare))
    if own.filter(used_at=None).update(used_at=now):
        return Judgement.ACCEPTED
    return Judgement.REPLAYED if own.exists() else Judgement.WRONG


def count_left(user_id: str) -> int:
    """How many codes are unspent."""
    return RecoveryCode.objects.filter(user_id=user_id, used_at=None).count()
