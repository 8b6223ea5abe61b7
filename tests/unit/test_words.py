"""The words of the pages: every one is translated, and what is compiled is what stands in the source."""

import ast
import gettext
import re
from pathlib import Path

import pytest

from tests.server import ROOT

APPS = ("secure_auth", "audit")
TEMPLATES = ROOT / "secure_auth" / "templates" / "web"
MARKERS = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext")
PLACES = re.compile(r"%\((\w+)\)[ds]|\{(\w+)(?::[^}]*)?\}")


def read_source(path: Path) -> dict[str, list[str]]:
    """The translations of each message in a .po file, with its context as gettext names it; the plural is one too."""
    found: dict[str, list[str]] = {}
    for block in path.read_text().split("\n\n"):
        parts: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith(("#", '"Project')):
                continue
            keyword, _, text = line.partition(" ")
            if not line.startswith('"'):
                name, line = keyword, text
            parts[name] = parts.get(name, "") + ast.literal_eval(line)
        if parts.get("msgid"):
            context = f"{parts['msgctxt']}\x04" if "msgctxt" in parts else ""
            found[context + parts["msgid"]] = [
                text for name, text in parts.items() if name.startswith("msgstr")
            ]
    return found


def catalogue(app: str) -> Path:
    return ROOT / app / "locale" / "de" / "LC_MESSAGES" / "django.po"


def compiled(app: str) -> gettext.GNUTranslations:
    with catalogue(app).with_suffix(".mo").open("rb") as file:
        return gettext.GNUTranslations(file)


@pytest.mark.parametrize("app", APPS)
def test_the_compiled_catalogue_is_that_of_the_source(app: str) -> None:
    source, words = read_source(catalogue(app)), compiled(app)
    assert len(source) > 20
    for message, translations in source.items():
        if len(translations) == 1:
            assert words.gettext(message) == translations[0]
        else:
            assert [words.ngettext(message, message, count) for count in (1, 2)] == translations


@pytest.mark.parametrize("app", APPS)
def test_every_message_is_translated_with_its_places(app: str) -> None:
    for message, translations in read_source(catalogue(app)).items():
        for text in translations:
            assert text, message
            assert set(PLACES.findall(text)) == set(PLACES.findall(message)), message


def marked_in_code(app: str) -> set[str]:
    found = set()
    for path in (ROOT / app).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKERS:
                first = node.args[0]
                assert isinstance(first, ast.Constant), f"{path.name}:{node.lineno}"
                found.add(str(first.value))
    return found


def marked_in_templates() -> set[str]:
    text = "\n".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    simple = re.findall(r"""\{% translate (?:"([^"]+)"|'([^']+)')""", text) + re.findall(
        r"(_\()'([^']+)'\)", text
    )
    blocks = re.findall(r"\{% blocktranslate[^%]*%\}(.*?)\{% (?:plural|endblocktranslate)", text, re.S)
    filled = [re.sub(r"\{\{ (\w+) \}\}", r"%(\1)s", block) for block in blocks]
    return {second or first for first, second in simple} | set(filled)


def test_every_marked_word_has_a_translation() -> None:
    assert marked_in_templates() - set(read_source(catalogue("secure_auth"))) == set()
    for app in APPS:
        assert marked_in_code(app) - set(read_source(catalogue(app))) == set()


def test_no_template_says_something_unmarked() -> None:
    """What stands between tags is marked, but for signs, and what is English on purpose."""
    for path in TEMPLATES.rglob("*.html"):
        text = re.sub(r"\{% comment %\}.*?\{% endcomment %\}", "", path.read_text(), flags=re.S)
        text = re.sub(r"\{% blocktranslate.*?\{% endblocktranslate %\}", "", text, flags=re.S)
        text = re.sub(r"\{% block body_class %\}.*?\{% endblock %\}", "", text)
        text = re.sub(r'<(\w+)[^>]*lang="en".*?</\1>', "", text, flags=re.S)
        text = re.sub(r"\{[%{].*?[%}]\}", " ", text, flags=re.S)
        text = re.sub(r"<[^>]*>", " ", text, flags=re.S)
        assert not re.findall(r"[A-Za-z]{2,}", text), f"{path.name}: {text.split()}"
