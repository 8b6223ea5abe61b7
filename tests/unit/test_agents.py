"""A User-Agent in words, whatever a stranger writes into it."""

import random
import re
import time

import pytest

from secure_auth.agents import UNKNOWN, describe_agent

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"{WINDOWS}; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox 143 on Windows"),
        (f"{WINDOWS}) {CHROME} Safari/537.36 Edg/141.0.0.0", "Edge 141 on Windows"),
        (f"{IPHONE} {APPLE} Version/18.0 Mobile/15E148 Safari/604.1", "Safari 18 on iPhone"),
        (f"{IPHONE} {APPLE} CriOS/141.0 Mobile/15E148 Safari/604.1", "Chrome 141 on iPhone"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.0 Safari/605.1",
            "Safari 18 on macOS",
        ),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome 141 on Android"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Chrome 141 on ChromeOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140 on Linux"),
        ("curl/8.5.0", "curl 8.5"),
        ("python-httpx/0.28.1", "python-httpx 0.28"),
        ("inventory-sync/3 (nightly)", "inventory-sync 3"),
        ("", UNKNOWN),
        ("Mozilla/5.0", UNKNOWN),
        ("x" * 256, UNKNOWN),
        ("evil.example/1.0", UNKNOWN),
    ],
)
def test_an_agent_in_words(user_agent: str, words: str) -> None:
    assert describe_agent(user_agent).words == words


def test_an_update_of_the_browser_is_the_same_kind() -> None:
    kinds = {describe_agent(f"{WINDOWS}; rv:{n}.0) Gecko/20100101 Firefox/{n}.0").kind for n in (143, 144)}
    assert kinds == {"Firefox on Windows"}


def strangers(count: int) -> list[str]:
    """Strings of 256 characters out of what the rules look for, half of them one piece again and again."""
    pieces = [
        "Mozilla/5.0 ", "(", ")", ";", " ", "/", "1", "9.", "_", "Linux", "Android ", "Build/", "SM-", "HbbTV/1.1.1 (",
        "CFNetwork/", "Darwin/", "iPhone OS ", "Safari/", "Version/", " rv:", "MSIE ", "bot", "Lenovo ",
        "http://evil.example/", "\r\nBcc: x@evil.example", "{{ to }}", "<a href=x>", "é", "\x85", "www.evil.example",
    ]  # fmt: skip
    dice = random.Random(7)
    some = ["".join(dice.choices(pieces, k=dice.randint(1, 3))) * 128 for _ in range(count // 2)]
    some += ["".join(dice.choices(pieces, k=128)) for _ in range(count // 2)]
    return [(dice.choice(pieces) + one)[:256] for one in some]


def test_nothing_but_plain_words_comes_out() -> None:
    """No line break, address, markup or link: a dot stands between digits only."""
    plain = re.compile(r"[A-Za-z0-9 -]*([0-9]\.[0-9])?[A-Za-z0-9 -]*")
    for user_agent in strangers(600):
        agent = describe_agent(user_agent)
        for words in (agent.words, agent.kind):
            assert plain.fullmatch(words), (user_agent, words)
            assert 0 < len(words) < 90


def test_no_string_is_slow() -> None:
    describe_agent("")
    for user_agent in strangers(300):
        began = time.thread_time()
        describe_agent.__wrapped__(user_agent)
        assert time.thread_time() - began < 0.05, user_agent
