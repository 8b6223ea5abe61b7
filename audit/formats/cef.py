"""CEF: ArcSight's Common Event Format, version 0, without a syslog header.

In the header `\\` and `|` are escaped, in the extension `\\` and `=`; there a line break is `\\n` or `\\r`. All other
control characters and the line separators of Unicode become blanks, so that an event is one line to any reader.
Where an event has an `actor`, that is the source user, and the account which it is about the destination user.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from audit.formats.jsonl import encode
from audit.records import Record

VENDOR, PRODUCT, VERSION = "Secure Auth", "Secure Auth", "1"
SEVERITIES: Final = {"info": 1, "low": 3, "medium": 5, "high": 8, "critical": 10}
LONGEST: Final = 4000  # of a custom string; 1023 of the client's application

_CONTROLS: Final = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")
_SPECIAL: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\\\\|=]")
_HEADER: Final = str.maketrans({**_CONTROLS, "\\": "\\\\", "|": "\\|"})
_EXTENSION: Final = str.maketrans(
    {**_CONTROLS, ord("\n"): "\\n", ord("\r"): "\\r", ord("\\"): "\\\\", ord("="): "\\="}
)


def line(record: Record, proof: Mapping[str, Any] | None) -> str:
    """One line. A proof is base64url of its JSON, without padding, under a key of our own."""
    name = f"{record.type} {record.outcome}"
    head = "|".join(_escaped(part, _HEADER) for part in (VENDOR, PRODUCT, VERSION, record.type, name))
    pairs = " ".join(
        f"{key}={_escaped(value, _EXTENSION)}" for key, value in _pairs(record, proof).items() if value
    )
    return f"CEF:0|{head}|{SEVERITIES[record.severity]}|{pairs}\n"


def _escaped(value: str, table: dict[int, str]) -> str:
    return value.translate(table) if _SPECIAL.search(value) else value


def _pairs(record: Record, proof: Mapping[str, Any] | None) -> dict[str, str]:
    actor = record.details.get("actor", record.user)
    pairs = {
        "rt": str(int(record.time.timestamp() * 1000 + 0.5)),
        "externalId": record.id,
        "outcome": record.outcome,
        "reason": record.reason,
        "suid": actor,
        "duid": record.user if record.user != actor else "",
        "requestClientApplication": record.user_agent[:1023],
    }
    if ":" in record.ip:
        pairs |= {"c6a2": record.ip, "c6a2Label": "Source IPv6 Address"}
    else:
        pairs["src"] = record.ip
    details = record.details | record.text
    custom = {
        "session": record.session,
        "requestId": record.request_id,
        "subject": record.subject,
        "details": encode(details)[:LONGEST] if details else "",
    }
    for number, (label, value) in enumerate(custom.items(), 1):
        if value:
            pairs |= {f"cs{number}": value, f"cs{number}Label": label}
    if proof:
        pairs["SecureAuthProof"] = base64.urlsafe_b64encode(encode(proof).encode()).decode().rstrip("=")
    return pairs
