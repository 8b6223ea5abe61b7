"""docs/accounts.md tells every way into an account, and none that is not there (OWASP ASVS 6.1.3)."""

import re

from secure_auth.administration import ACTIONS
from tests.house.test_routes import CONTRACT
from tests.server import ROOT

# Unsafe methods that neither open an account nor change what opens it: they end, rename or ask.
HARMLESS = {
    "DELETE devices/{}/", "DELETE sessions/", "DELETE sessions/{}/", "POST logout/", "POST token/revoke/",
    "POST token/verify/", "POST token/introspect/", "POST password/strength/",
    "POST audit/detections/{}/acknowledge/",
}  # fmt: skip
METHODS = {"GET", "POST", "PATCH", "DELETE"}


def told() -> set[tuple[str, str]]:
    """Method, where one is told, and path of everything in the page's tables."""
    page = (ROOT / "docs" / "accounts.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    found = set()
    for word in words:
        method, _, path = word.rpartition(" ")
        if path.endswith("/") and method in {"", *METHODS}:
            found.add((method, re.sub(r"\{\w+\}", "{}", path)))
    return found


def test_every_route_that_opens_an_account_is_told() -> None:
    shown = told()
    unsafe = [line.split()[:2] for line in CONTRACT.strip().splitlines() if not line.startswith("GET ")]
    missing = {
        f"{method} {path}"
        for method, path in unsafe
        if f"{method} {path}" not in HARMLESS
        and not path.startswith("admin/users/")
        and (method, path) not in shown
        and ("", path) not in shown
        and not (path == "admin/invitations/{}/" and ("", "admin/invitations/") in shown)
    }
    assert missing == set()


def test_every_action_of_an_admin_is_told() -> None:
    shown = {path for _, path in told()}
    for action in ACTIONS:
        assert {f"{action}/", f"admin/users/{{}}/{action}/"} & shown, action


def test_nothing_is_told_that_is_not_there() -> None:
    existing = {line.split()[1] for line in CONTRACT.strip().splitlines()}
    existing |= {form for action in ACTIONS for form in (f"{action}/", f"admin/users/{{}}/{action}/")}
    assert {path for _, path in told()} - existing == set()
