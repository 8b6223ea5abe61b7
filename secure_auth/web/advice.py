"""What zxcvbn advises on a new password, in the person's language, and what a form on which one is chosen needs.

zxcvbn speaks English only, and has a finite set of sentences: each is marked here word for word, and a test compares
them with those of the installed version. One that is not here is not told where another language is spoken.
"""

import json
from typing import Final

from django.conf import settings
from django.utils.translation import get_language, gettext, gettext_noop

from secure_auth import strength
from secure_auth.errors import Problem
from secure_auth.web.forms import PageForm

MOST_OF_ADDRESS: Final = 320
_SENTENCES: Final[tuple[str, ...]] = (
    gettext_noop("Use a few words, avoid common phrases."),
    gettext_noop("No need for symbols, digits, or uppercase letters."),
    gettext_noop("Add another word or two. Uncommon words are better."),
    gettext_noop("Straight rows of keys are easy to guess."),
    gettext_noop("Short keyboard patterns are easy to guess."),
    gettext_noop("Use a longer keyboard pattern with more turns."),
    gettext_noop('Repeats like "aaa" are easy to guess.'),
    gettext_noop('Repeats like "abcabcabc" are only slightly harder to guess than "abc".'),
    gettext_noop("Avoid repeated words and characters."),
    gettext_noop('Sequences like "abc" or "6543" are easy to guess.'),
    gettext_noop("Avoid sequences."),
    gettext_noop("Recent years are easy to guess."),
    gettext_noop("Avoid recent years."),
    gettext_noop("Avoid years that are associated with you."),
    gettext_noop("Dates are often easy to guess."),
    gettext_noop("Avoid dates and years that are associated with you."),
    gettext_noop("This is a top-10 common password."),
    gettext_noop("This is a top-100 common password."),
    gettext_noop("This is a very common password."),
    gettext_noop("This is similar to a commonly used password."),
    gettext_noop("A word by itself is easy to guess."),
    gettext_noop("Names and surnames by themselves are easy to guess."),
    gettext_noop("Common names and surnames are easy to guess."),
    gettext_noop("Capitalization doesn't help very much."),
    gettext_noop("All-uppercase is almost as easy to guess as all-lowercase."),
    gettext_noop("Reversed words aren't much harder to guess."),
    gettext_noop("Predictable substitutions like '@' instead of 'a' don't help very much."),
)


def sentences() -> dict[str, str]:
    """What each sentence of zxcvbn is in the language of the page."""
    return dict(zip(_SENTENCES, map(gettext, _SENTENCES), strict=True))


def choosing(form: PageForm, field: str, *, email: str = "") -> dict[str, object]:
    """What the page of a form needs on which a new password is chosen, in this field.

    `advice` is for the script that asks while somebody types, empty where zxcvbn's language is the page's; `advised`
    is about a password that was refused just now, so that who has no scripts is advised too.
    """
    is_foreign = get_language() != settings.LANGUAGE_CODE
    return {
        "least": settings.PASSWORD_MIN_LENGTH,
        "advice": json.dumps(sentences(), ensure_ascii=False) if is_foreign else "",
        "advised": _advise(form, field, email) if form.is_sent and field in form.errors else [],
    }


def _advise(form: PageForm, field: str, email: str) -> list[str]:
    password = str(form.data.get(field, ""))
    if not 0 < len(password) <= settings.PASSWORD_MAX_LENGTH:
        return []
    try:
        told = strength.estimate_strength(password=password, email=email[:MOST_OF_ADDRESS])
    except Problem:  # too many estimates wait: the refusal stands without advice
        return []
    known = sentences()
    return [known[one] for one in (told.warning, *told.suggestions) if one in known]
