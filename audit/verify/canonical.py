"""Canonical JSON (RFC 8785) of what a leaf may hold: objects, arrays, strings, booleans, whole numbers below 2**53.

Numbers with a fraction or an exponent and null stand in no leaf: they are refused, so that nothing here depends on how
a double is spelled.
"""

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn

MAX_INTEGER: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: what an IEEE double holds exactly

quote: Final = (
    encode_basestring  # RFC 8785 section 3.2.2.2: quotes, backslash and controls escaped, the rest as it is
)


def parse(text: str | bytes) -> Any:
    """JSON that a leaf may hold. Of a doubled name the last counts: compare with `compact` where that may be.

    Raises:
        ValueError: it is none, or holds what no leaf holds.
    """
    text = text if isinstance(text, str) else text.decode()
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("it is none") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text):
        raise ValueError("it does not end where it should")
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `object_pairs_hook`: of a doubled name one reader shows the first, another the last.

    Raises:
        ValueError: a name stands twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def canonical(value: Any) -> str:
    """RFC 8785 text of what `parse` gave. Names sort by UTF-16 code units (section 3.2.3).

    Raises:
        ValueError: holds what no leaf holds.
    """
    quick = _sorted.encode(value)
    if quick.isascii() and "null" not in quick:
        return quick  # in ASCII, code points sort as code units do
    return _spell(value)


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(_bounded(value))
    if isinstance(value, list):
        return f"[{','.join(map(_spell, value))}]"
    if isinstance(value, dict):
        names = sorted(value, key=_utf16)
        return f"{{{','.join(f'{quote(name)}:{_spell(value[name])}' for name in names)}}}"
    raise ValueError("no leaf holds a null or a fraction")


def compact(value: Any) -> str:
    """The JSON text that the service stores where a database keeps text as it came: names in their order, no blanks."""
    return _compact.encode(value)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _bounded(number: int) -> int:
    if abs(number) > MAX_INTEGER:
        raise ValueError("no leaf holds a number beyond 53 bits")
    return number


def _integer(digits: str) -> int:
    if len(digits) > 17 or digits == "-0":
        raise ValueError("no leaf holds such a number")
    return _bounded(int(digits))


def _refuse(spelled: str) -> NoReturn:
    raise ValueError(f"no leaf holds the number {spelled[:20]}")


_decoder: Final = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_integer)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = _decoder.scan_once  # type: ignore[attr-defined]
_sorted: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True)
_compact: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
