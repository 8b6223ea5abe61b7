"""Every event and every reason that the vocabulary knows is said somewhere."""

import re

from audit.events import EventType, Reason
from tests.server import ROOT

# What only names events: the vocabulary, and the words for people.
DECLARATIONS = {ROOT / "audit" / "events.py", ROOT / "audit" / "details.py"}
DECLARATIONS |= {ROOT / "secure_auth" / "web" / "activity.py"}


def test_every_event_type_and_every_reason_is_said() -> None:
    files = [path for package in ("secure_auth", "audit") for path in (ROOT / package).rglob("*.py")]
    text = "\n".join(path.read_text() for path in files if path not in DECLARATIONS)
    for kind in (EventType, Reason):
        said = {kind[name] for name in re.findall(rf"\b{kind.__name__}\.([A-Z_]+)\b", text)}
        assert set(kind) - said == set()
