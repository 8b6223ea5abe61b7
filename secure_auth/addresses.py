"""E-mail addresses: the form that is kept and the key that makes two spellings one account.

The key folds case and compatibility forms (NFKC) of the whole address. That is stricter than mail itself, where the
local part may differ by case: two people whose addresses differ only so are far rarer than an attacker who uses it.
"""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from secure_auth import digest_ring

MAX_LENGTH = 254
ID_LENGTH = 32
PLAIN = re.compile(r"[\w.+-]+@[\w.-]+", re.ASCII)
PUNYCODE = "xn--"
BLANKS = " \t"  # that a keyboard's completion leaves behind an address; ends of lines are no accident


@dataclass(frozen=True)
class Address:
    """An address as typed in normal form, and its key."""

    email: str
    key: str

    @property
    def account(self) -> str:
        """See account_id()."""
        return account_id(self.key)


def account_id(key: str) -> str:
    """The opaque id of a typed identifier, the same whether or not an account has it: keys limits and events.

    By the oldest digest key: a rotation lifts no lock, and gives nobody a fresh budget.
    """
    return digest_ring.lasting_digest("account", key)[:ID_LENGTH]


def account_ids(key: str) -> list[str]:
    """All ids that account_id() has told, and will tell, of an identifier with the digest keys that there are."""
    return [digest[:ID_LENGTH] for digest in digest_ring.digests("account", key)]


def parse_address(typed: str) -> Address:
    """Normalise an address (RFC 5321, RFC 6531): NFC, the domain in its Unicode form, no blanks around it.

    Raises:
        ValueError: it is not an address.
    """
    parsed = _validate(typed.strip(BLANKS))
    key = fold(parsed.normalized)  # may be longer: one character can fold to eighteen
    if max(len(parsed.normalized), len(key)) > MAX_LENGTH:
        raise ValueError("not an e-mail address")
    return Address(parsed.normalized, key)


def _validate(address: str) -> ValidatedEmail:
    try:
        return validate_email(
            address,
            check_deliverability=False,
            allow_smtputf8=True,
            allow_quoted_local=False,
            test_environment=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise ValueError("not an e-mail address") from error


def deliverable(email: str) -> str:
    """An address as mail is sent to it: in ASCII where there is such a form, its domain by IDNA 2008.

    Django writes domains by IDNA 2003, which makes strasse.de of straße.de: another domain, that another may own.
    """
    try:
        return _validate(email).ascii_email or email
    except ValueError:
        return email


def identify(typed: str) -> Address:
    """The address that somebody tries to log in with; what is no address is an unknown account like any other."""
    try:
        return parse_address(typed)
    except ValueError:
        return Address(typed, fold(typed))


def recognise(typed: str) -> Address:
    """identify() for who asks for the key alone; the address is as typed.

    A plain one's key does not depend on whether it is an address: to judge that is dear beside all else of a login.
    """
    if PLAIN.fullmatch(typed):
        key = typed.lower()
        if PUNYCODE not in key:
            return Address(typed, key)
    return Address(typed, identify(typed).key)


def fold(text: str) -> str:
    """Case and compatibility folding (Unicode 3.13, toNFKC_Casefold without the ignorable code points)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
