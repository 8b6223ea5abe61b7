"""From the fields of one row to a newcomer: every value is checked here, and nothing of it is ever repeated.

Names are ours, with those of Django's `auth_user` beside them. An address that is not verified brings neither password
nor second factor: whoever registered it elsewhere may not own it. Its owner comes in by a mailed reset.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from mfa import totp
from secure_auth import foreign_hashes
from secure_auth.addresses import Address, parse_address
from secure_auth.foreign_hashes import BadHash
from secure_auth.models import Role

UNUSABLE = "!"  # matches no password
OURS = frozenset(
    {"email", "password", "role", "email_verified", "disabled", "created_at", "totp_secret", "totp_secrets"}
)
SCHEME = {"totp_algorithm": totp.ALGORITHMS, "totp_digits": ("6", "8"), "totp_period": ("30",)}
IGNORED = frozenset(
    {
        "id",
        "pk",
        "first_name",
        "last_name",
        "last_login",
        "is_staff",
        "is_superuser",
        "groups",
        "user_permissions",
    }
)
KNOWN = OURS | SCHEME.keys() | IGNORED | {"username", "is_active", "date_joined", "password_hash"}
FLAGS = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}
MOST_TOTP = 10
TOTP_BYTES = range(10, 65)
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_BASE32 = re.compile(r"[A-Z2-7]+")
_OWN_SCHEME = re.compile(r"(SHA1|SHA256|SHA512)/([68]):(.*)", re.DOTALL)


class BadField(ValueError):
    """What is wrong with a row: a field and a code."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__(f"{name}: {code}")
        self.name, self.code = name, code


@dataclass(frozen=True)
class Newcomer:
    """An account that is to come into being."""

    number: int
    address: Address = field(repr=False)
    password: str = field(repr=False)
    totp_secrets: tuple[tuple[totp.Scheme, bytes], ...] = field(repr=False)
    role: str
    created_at: datetime
    is_disabled: bool


def read_newcomer(number: int, fields: Mapping[str, Any]) -> Newcomer:
    """The account of a row.

    Raises:
        BadField: a field is missing, malformed or unknown.
    """
    for name in fields:
        if name not in KNOWN:
            raise BadField(name if re.fullmatch(r"[a-z_]{1,32}", name) else "", "unknown_field")
    address = _address(fields)
    is_verified = _flag(fields, "email_verified", True)
    password = _password(fields)
    secrets = _totp(fields)
    return Newcomer(
        number,
        address,
        password if is_verified else UNUSABLE,
        secrets if is_verified else (),
        _role(fields),
        _created(fields),
        _flag(fields, "disabled", not _flag(fields, "is_active", True)),
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | int) and name in SCHEME:
        return str(value)
    if not isinstance(value, str):
        raise BadField(name, "not_text")
    return value.strip()


def _address(fields: Mapping[str, Any]) -> Address:
    """The address; of an `auth_user` that has none its name, where that is one."""
    name = "email" if _text(fields, "email") else "username"
    try:
        return parse_address(_text(fields, name))
    except ValueError as error:
        raise BadField("email", "not_an_address" if _text(fields, "email") else "missing") from error


def _flag(fields: Mapping[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if value is None or value == "":
        return default
    if text not in FLAGS:
        raise BadField(name, "not_a_boolean")
    return FLAGS[text]


def _password(fields: Mapping[str, Any]) -> str:
    """A hash in its stored form; what is empty or begins with `!` is no password, as in Django."""
    text = _text(fields, "password") or _text(fields, "password_hash")
    if not text or text.startswith(UNUSABLE):
        return UNUSABLE
    try:
        return foreign_hashes.recognize(text)
    except BadHash as error:
        raise BadField("password", error.code) from error


def _role(fields: Mapping[str, Any]) -> str:
    role = _text(fields, "role").lower()
    role = "" if role == "none" else role
    if role not in Role.values:
        raise BadField("role", "unknown_role")
    return role


def _created(fields: Mapping[str, Any]) -> datetime:
    name = "created_at" if fields.get("created_at") else "date_joined"
    value = fields.get(name)
    if isinstance(value, datetime):
        moment = value
    else:
        text = _text(fields, name)
        if not text:
            return timezone.now()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadField(name, "not_a_time") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not FIRST_MOMENT <= moment <= timezone.now():
        raise BadField(name, "time_out_of_range")
    return moment


def _totp(fields: Mapping[str, Any]) -> tuple[tuple[totp.Scheme, bytes], ...]:
    told = {name: _text(fields, name).upper().replace("SHA-", "SHA") for name in SCHEME}
    for name, allowed in SCHEME.items():
        if told[name] not in ("", *allowed):
            raise BadField(name, "unsupported")
    scheme = totp.Scheme(told["totp_algorithm"] or "SHA1", int(told["totp_digits"] or 6))
    several = fields.get("totp_secrets")
    listed = several if isinstance(several, list) else _text(fields, "totp_secrets").split(";")
    found = [text for text in (_text(fields, "totp_secret"), *listed) if text != ""]
    if len(found) > MOST_TOTP:
        raise BadField("totp_secrets", "too_many")
    return tuple(dict.fromkeys(_with_scheme(text, scheme) for text in found))


def _with_scheme(text: object, scheme: totp.Scheme) -> tuple[totp.Scheme, bytes]:
    """A secret that may name a scheme of its own, as export_users writes one that is not every app's."""
    own = _OWN_SCHEME.fullmatch(text) if isinstance(text, str) else None
    if own is None:
        return scheme, _secret(text)
    return totp.Scheme(own[1], int(own[2])), _secret(own[3])


def _secret(text: object) -> bytes:
    """Base32 (RFC 4648) as apps show it: any case, with or without blanks and padding."""
    bare = re.sub(r"[\s-]", "", text).upper().rstrip("=") if isinstance(text, str) else ""
    if not _BASE32.fullmatch(bare):
        raise BadField("totp_secret", "not_base32")
    try:
        secret = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except ValueError as error:
        raise BadField("totp_secret", "not_base32") from error
    if len(secret) not in TOTP_BYTES:
        raise BadField("totp_secret", "wrong_length")
    return secret
