"""Which logins count as coming from the same place."""

from collections.abc import Iterator

import pytest

import tests.ready  # noqa: F401
from audit.events import Source
from secure_auth.familiar import digest_source
from tests.rings import rings, signing_key

CURL, HTTPX = "curl/8.5.0", "python-httpx/0.28.1"


@pytest.fixture(autouse=True)
def key() -> Iterator[None]:
    with rings(signing_key()):
        yield


def digest(ip: str, user_agent: str = CURL, user: str = "someone") -> str:
    return digest_source(user, Source(ip=ip, user_agent=user_agent))


@pytest.mark.parametrize(
    ("home", "near", "far"),
    [
        ("192.0.2.1", "192.0.2.254", "192.0.3.1"),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::9", "2001:db8:2:2::1"),
        ("", "", "192.0.2.1"),
    ],
)
def test_a_source_is_a_kind_of_browser_in_a_network_of_an_account(home: str, near: str, far: str) -> None:
    assert digest(home) == digest(near) == digest(home, "curl/9.1")
    assert len({digest(home), digest(far), digest(home, HTTPX), digest(home, user="another")}) == 4
