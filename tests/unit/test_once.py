"""What a page shows once is sealed for its owner and for ten minutes, however long a browser keeps the cookie."""

from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

import tests.ready  # noqa: F401
from secure_auth.web import once
from tests.rings import encryption_ring

SECRET = {"secret": "JBSWY3DPEHPK3PXP"}


@pytest.fixture(autouse=True)
def _ring() -> Iterator[None]:
    with encryption_ring():
        yield


def left(kind: str = once.TOTP, owner: str = "login-1") -> SimpleCookie:
    """The cookie that an answer leaves."""
    response = HttpResponse()
    once.show_once(response, kind, owner, SECRET)
    return response.cookies


def shown(cookies: SimpleCookie, kind: str = once.TOTP, owner: str = "login-1") -> object:
    """What a later request that brings it is shown."""
    request = RequestFactory().get(
        "/enrol/", headers={"Cookie": cookies.output(attrs=[], header="", sep=";").strip()}
    )
    content = once.read_once(request, kind, owner)
    return content and {name: value for name, value in content.items() if name != "until"}


def test_it_is_shown_to_its_owner_on_its_page() -> None:
    cookies = left()
    assert shown(cookies) == SECRET
    assert shown(cookies, owner="login-2") is None
    assert shown(cookies, kind=once.CODES) is None
    assert "JBSWY3DPEHPK3PXP" not in cookies.output()


def test_a_kept_cookie_is_worth_nothing_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser, or who copied its files, need not heed Max-Age."""
    monkeypatch.setattr(once, "ONCE_SECONDS", -1)
    assert shown(left()) is None


@pytest.mark.parametrize("value", ["", ".", "x", "x.y", "{kid}.", "{kid}.AAAA", "{kid}.%", "{kid}.\u00e9"])
def test_what_is_no_seal_shows_nothing(value: str) -> None:
    cookies = left()
    kid = cookies[once.ONCE].value.partition(".")[0]
    request = RequestFactory().get("/enrol/")
    request.META["HTTP_COOKIE"] = f"{once.ONCE}={value.format(kid=kid)}"
    assert once.read_once(request, once.TOTP, "login-1") is None
