"""OCSF lines keep to the published schema, whatever an event holds.

py-ocsf-models has the base event and the findings; the classes of the IAM category are judged by the schema itself, as
the package ocsf-json-schema carries it. Both are installed into a folder of this test.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.events import EventType, Outcome
from audit.formats import WRITERS
from audit.records import Record
from audit.vocabulary import Format
from tests.server import ROOT
from tests.services import CI

HERE = Path(__file__).parent
NOBODY: dict[str, object] = {"session": "", "request_id": "", "details": {}}
SOMEBODY = {
    "session": "s-1", "request_id": "r-1", "user": "u-1", "ip": "192.0.2.1", "user_agent": "x" * 512, "details": {},
}  # fmt: skip
BY_ADMIN = {
    **SOMEBODY,
    "ip": "2001:db8::1",
    "details": {"actor": "a-1", "method": "totp", "amr": ["pwd", "otp", "mfa"], "role": "auditor"},
    "text": {"note": "why\nnot"},
}
STRANGER = {**NOBODY, "subject": "digest", "ip": "192.0.2.1", "details": {"method": "recovery_code"}}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two packages; skips by name where no index answers, and fails with CI=true."""
    folder = tmp_path_factory.mktemp("ocsf")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--require-hashes",
        "--target",
        str(folder),
    ]
    wanted = str(HERE / "ocsf-requirements.txt")
    done = subprocess.run([*command, "-r", wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        if CI:
            pytest.fail(f"py-ocsf-models could not be installed: {done.stderr[-500:]}", pytrace=False)
        pytest.skip("py-ocsf-models is not installed and no index gives it")
    return folder


def test_every_event_keeps_to_the_published_schema(packages: Path) -> None:
    when = datetime(2026, 11, 23, 20, 50, 20, 317000, tzinfo=UTC)
    lines = []
    for type_ in EventType:
        for outcome in Outcome:
            for given in (NOBODY, SOMEBODY, BY_ADMIN, STRANGER):
                reason = "wrong_password" if outcome is Outcome.FAILURE else ""
                fixed = {"id": "01a20a2c-881d-764c-ae95-3fa17434e261", "time": when, "severity": "low"}
                event = {
                    **fixed,
                    "type": type_,
                    "outcome": outcome,
                    "reason": reason,
                    "commitments": {},
                    **given,
                }
                lines.append(WRITERS[Format.OCSF].line(Record(**event), {"index": 1}))  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes.ocsf_check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(packages)},
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]
