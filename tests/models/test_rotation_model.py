"""The model of refresh rotation, searched whole by spin: what it promises, and what each rule is there for.

A property is believed because the same search finds the fault once the rule behind it is taken away.
"""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.services import require_programs

MODEL = Path(__file__).with_name("rotation.pml")
DEPTH = 10_000  # steps of one run; pan says so when that was too few
SEARCH_SECONDS = 900

PROMISES = [
    ("", "one_live_token"),
    ("", "no_false_alarm"),
    ("", "never_stuck"),
    ("KEYLESS GRACE", "one_live_token"),
    ("THIEF MAX=5", "one_live_token"),
    ("THIEF MAX=5", "theft_ends_session"),
    ("THIEF KEYLESS MAX=5", "theft_ends_session"),
    ("THIEF KEYLESS GRACE MAX=5", "one_live_token"),
]
LARGER = [
    ("MAX=10 MEMORY=6 LATE=7 TABS=3", "no_false_alarm"),
    ("MAX=10 MEMORY=6 LATE=7 TABS=3", "never_stuck"),
    ("THIEF MAX=7 MEMORY=4 LATE=5", "one_live_token"),
    ("THIEF MAX=7 MEMORY=4 LATE=5", "theft_ends_session"),
    ("THIEF KEYLESS GRACE MAX=7", "one_live_token"),
]
FAULTS = [
    ("FAULT_CHECK_THEN_WRITE", "one_live_token"),
    ("THIEF MAX=5 FAULT_REUSE_FORGIVEN", "theft_ends_session"),
    ("FAULT_KEY_OF_EACH_TAB", "no_false_alarm"),
    ("FAULT_LATE_ANSWER_STORED", "no_false_alarm"),
    ("FAULT_LATE_REFUSAL_BELIEVED", "no_false_alarm"),
    ("MEMORY=1", "no_false_alarm"),  # a row that remembers one key only
    ("LATE=5", "no_false_alarm"),  # later than the row remembers
    ("KEYLESS", "no_false_alarm"),  # why there is a key
    ("THIEF KEYLESS GRACE MAX=5", "theft_ends_session"),  # and no window of time in its place
    ("", "never_done"),  # the last generation is reached
    ("THIEF MAX=5", "nobody_goes_on"),
]


def run(*command: str, directory: Path) -> str:
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=SEARCH_SECONDS
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


Search = Callable[..., int]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Searches every state of the model under some macros; how many runs break the claim, at most one."""
    require_programs("spin", "gcc")

    @cache
    def built(macros: str, optimisation: str) -> Path:
        directory = tmp_path_factory.mktemp("model")
        run("spin", *(f"-D{macro}" for macro in macros.split()), "-a", str(MODEL), directory=directory)
        run("gcc", optimisation, "-w", "-DNOFAIR", "-o", "pan", "pan.c", directory=directory)
        return directory

    def search(macros: str, claim: str, optimisation: str = "-O0") -> int:
        directory = built(macros, optimisation)
        told = run("./pan", "-a", f"-m{DEPTH}", "-N", claim, directory=directory)
        assert "max search depth too small" not in told
        assert "out of memory" not in told
        assert re.search(rf"never claim\s+\+ \({claim}\)", told), told
        (errors,) = re.findall(r"errors: (\d+)", told)
        return int(errors)

    return search


@pytest.mark.parametrize(("macros", "claim"), PROMISES)
def test_protocol_keeps_its_promise_in_every_state(search: Search, macros: str, claim: str) -> None:
    assert search(macros, claim) == 0


@pytest.mark.long
@pytest.mark.parametrize(("macros", "claim"), LARGER)
def test_protocol_keeps_its_promise_in_every_state_of_a_larger_model(
    search: Search, macros: str, claim: str
) -> None:
    assert search(macros, claim, "-O2") == 0


@pytest.mark.parametrize(("macros", "claim"), FAULTS)
def test_search_finds_what_a_missing_rule_breaks(search: Search, macros: str, claim: str) -> None:
    assert search(macros, claim) == 1
