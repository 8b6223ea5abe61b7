"""The CSRF token beside a login and a session of any lifetimes."""

import pytest
from django.conf import settings
from rest_framework.response import Response

import tests.ready  # noqa: F401
from secure_auth.api import cookies


@pytest.mark.parametrize(("idle", "partial"), [(120, 300), (3600, 300)])
def test_csrf_token_outlives_the_login_and_the_session(
    monkeypatch: pytest.MonkeyPatch, idle: int, partial: int
) -> None:
    monkeypatch.setattr(settings, "SESSION_IDLE_SECONDS", idle)
    monkeypatch.setattr(settings, "PARTIAL_TOKEN_SECONDS", partial)
    response = Response()
    cookies._set_csrf(response, "a-token")
    assert response.cookies[cookies.CSRF]["max-age"] == max(idle, partial)
