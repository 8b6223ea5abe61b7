"""The CBOR that passkeys write (CTAP 2.1 section 8), told apart from all other before a decoder reads it.

A general decoder builds whatever a tag names: regular expressions, half a minute to compile, and values that
name one another, whose copies outgrow the machine. No passkey writes a tag. Inside authenticator data nothing is of
open length or a float, and each number is as short as it can be: the library finds an item's end there by writing it
again, and one that came out longer or shorter would let it read on amid a string that was passed over here.
Lists and maps are few: as keys of a map they can be hashed alike, and are then compared each with each.
"""

from webauthn.helpers import parse_cbor

BYTES, TEXT, LIST, MAP, TAG, SIMPLE = 2, 3, 4, 5, 6, 7
MOST_CONTAINERS = 64  # a TPM's statement and every registered extension take a dozen
ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
LEAST_OF_SIZE = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}
OPEN = 31

FLAGS_AT, COUNTER_END = 32, 37
HAS_CREDENTIAL = 0x40
AAGUID_BYTES, LENGTH_BYTES = 16, 2


def _demand_plain(encoded: bytes, *, exact: bool) -> None:
    """Judge any number of items one after the other, those inside of others too, by one walk over their heads.

    Raises:
        ValueError: some item has another form. That one is cut off is left to the decoder to say.
    """
    at = containers = 0
    while at < len(encoded):
        kind, short = encoded[at] >> 5, encoded[at] & 0x1F
        size = ARGUMENT_BYTES.get(short, 0)
        argument = int.from_bytes(encoded[at + 1 : at + 1 + size]) if size else short % OPEN
        is_open_or_float = short > (24 if kind == SIMPLE else 27)
        is_too_long = argument < LEAST_OF_SIZE.get(size, 0)
        containers += kind in (LIST, MAP)
        is_general = kind == TAG or containers > MOST_CONTAINERS
        if is_general or (exact and (is_open_or_float or is_too_long)):
            raise ValueError("not what an authenticator writes")
        at += 1 + size + (argument if kind in (BYTES, TEXT) else 0)


def demand_plain_authenticator_data(data: bytes) -> None:
    """Judge the key and the extensions that stand in authenticator data (Level 3 section 6.1).

    Raises:
        ValueError.
    """
    start = COUNTER_END
    if data[FLAGS_AT : FLAGS_AT + 1] and data[FLAGS_AT] & HAS_CREDENTIAL:
        start += AAGUID_BYTES + LENGTH_BYTES
        start += int.from_bytes(data[start - LENGTH_BYTES : start])
    _demand_plain(data[start:], exact=True)


def demand_plain_attestation(attestation: bytes) -> None:
    """Judge an attestation object and the authenticator data in it (section 6.5.4).

    Raises:
        Exception: it has another form, or is no attestation object.
    """
    _demand_plain(attestation, exact=False)
    demand_plain_authenticator_data(parse_cbor(attestation)["authData"])
