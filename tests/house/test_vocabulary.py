"""Every event that the vocabulary knows is raised somewhere, or is reserved for what comes."""

import re

from audit.events import EventType
from tests.server import ROOT

# Said by nothing yet. A type that comes into use leaves this list.
RESERVED = {
    EventType.ACCOUNT_ROLE,
    EventType.MAIL_SEND,
}
# What only names events: the vocabulary, and the words for people.
DECLARATIONS = {ROOT / "audit" / "events.py", ROOT / "audit" / "details.py"}
DECLARATIONS |= {ROOT / "secure_auth" / "web" / "activity.py"}


def test_every_event_type_is_raised_or_reserved() -> None:
    files = [path for package in ("secure_auth", "audit") for path in (ROOT / package).rglob("*.py")]
    text = "\n".join(path.read_text() for path in files if path not in DECLARATIONS)
    raised = {EventType[name] for name in re.findall(r"\bEventType\.([A-Z_]+)\b", text)}
    assert set(EventType) - raised == RESERVED
