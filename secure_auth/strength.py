"""How soon a password would be guessed, estimated by zxcvbn for the page on which one is chosen.

It refuses nothing: password_policy does. Nothing of it is stored, logged or recorded. The cost is bounded: a beginning
of the password, few signs that may stand for letters (zxcvbn tries every reading of them: a long row costs it
seconds), and one estimate at a time in a process.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from zxcvbn import matching, scoring
from zxcvbn.feedback import get_feedback
from zxcvbn.time_estimates import estimate_attack_times

from secure_auth import password_policy
from secure_auth.errors import FieldError, service_unavailable
from secure_auth.passwords import normalize

MOST_CHARACTERS = 48
MOST_SIGNS = 4
WAIT_SECONDS = 1.0
SIGNS = frozenset(sign for signs in matching.L33T_TABLE.values() for sign in signs)
NO_SIGN = "\u00f8"  # on no keyboard and in no word that zxcvbn knows

_turn = threading.Lock()


@dataclass(frozen=True)
class Strength:
    """A score of 0 (at once) to 4 (practically not), advice, and what keeps the password from being taken."""

    score: int
    warning: str
    suggestions: list[str]
    faults: list[FieldError] = field(default_factory=list)


def estimate_strength(*, password: str, email: str) -> Strength:
    """Estimate a password for an address, which may be empty.

    Raises:
        Problem: service_unavailable, too many estimates wait.
    """
    faults = password_policy.find_faults_here(password, email=email)
    shortened = _bound(normalize(password))
    words = [word.casefold() for word in (email, *email.split("@"), *password_policy.context_words()) if word]
    if not _turn.acquire(timeout=WAIT_SECONDS):
        raise service_unavailable()
    try:
        score, feedback = _estimate(shortened, words)
    finally:
        _turn.release()
    return Strength(score, feedback["warning"] or "", feedback["suggestions"], faults)


def _bound(password: str) -> str:
    """A beginning of bounded cost; signs beyond the first few kinds are replaced."""
    shortened = password[:MOST_CHARACTERS]
    kinds = list(dict.fromkeys(character for character in shortened if character in SIGNS))
    return shortened.translate(dict.fromkeys(map(ord, kinds[MOST_SIGNS:]), NO_SIGN))


def _estimate(password: str, words: list[str]) -> tuple[int, dict[str, Any]]:
    """zxcvbn.zxcvbn() puts a caller's words into a table that all threads share; here each has one of its own."""
    known = {**matching.RANKED_DICTIONARIES, "user_inputs": matching.build_ranked_dict(words)}
    found = scoring.most_guessable_match_sequence(password, matching.omnimatch(password, known))
    score = int(estimate_attack_times(found["guesses"])["score"])
    return score, get_feedback(score, found["sequence"])
