"""What the console says and offers of what admins do to an account is all that the use cases know."""

import re

from secure_auth import administration
from secure_auth.web import words
from tests.server import ROOT

PERSON = ROOT / "secure_auth" / "templates" / "web" / "console" / "person.html"


def test_every_action_of_admins_has_a_button_and_a_notice() -> None:
    offered = re.findall(
        r'formaction="/console/people/\{\{ found\.user\.id \}\}/([a-z-]+)/"', PERSON.read_text()
    )
    assert words.WARNINGS.issubset(words.NOTICES)
    told = {name.removeprefix("did-") for name in words.NOTICES if name.startswith("did-")}
    assert set(offered) == told == set(administration.ACTIONS)
