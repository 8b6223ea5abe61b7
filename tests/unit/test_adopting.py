"""What an adopting project's views do when something is missing or away."""

import json
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import ResolverMatch
from django.utils.decorators import method_decorator
from django.views import View

import tests.ready  # noqa: F401
from audit.events import Source
from secure_auth import startup
from secure_auth.adopting.decorators import public, token_required
from secure_auth.adopting.middleware import AccessTokenMiddleware
from secure_auth.adopting.requests import refusal
from secure_auth.plain_views import route_of


def test_middleware_does_not_start_without_those_that_it_rests_on() -> None:
    alone = override_settings(MIDDLEWARE=["secure_auth.middleware.RequestMiddleware"])
    with alone, pytest.raises(ImproperlyConfigured, match="SourceLimitMiddleware"):
        AccessTokenMiddleware(lambda request: HttpResponse())


def test_store_that_is_away_refuses() -> None:
    def demand(request: HttpRequest) -> None:
        raise OperationalError

    refused = refusal(RequestFactory().get("/"), demand)
    assert isinstance(refused, HttpResponse)
    assert (refused.status_code, json.loads(refused.content)["code"]) == (503, "service_unavailable")
    assert refused.headers["Retry-After"]


def test_fault_of_the_demand_is_no_permission() -> None:
    def demand(request: HttpRequest) -> None:
        raise KeyError("acr")

    with pytest.raises(KeyError):
        refusal(RequestFactory().get("/"), demand)


def test_action_of_the_projects_own_may_be_a_number() -> None:
    request, route = RequestFactory().get("/orders/7/"), "orders/<int:action>/"
    request.resolver_match = ResolverMatch(basket, (), {"action": 7}, route=route)
    assert route_of(request) == route


def basket(request: HttpRequest, action: int) -> HttpResponse:
    return HttpResponse()


def test_service_does_not_start_within_a_projects_transaction_of_each_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with pytest.raises(CommandError, match="ATOMIC_REQUESTS must be off"):
        startup.prepare()


def test_service_does_not_start_on_a_backend_that_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.sqlite3")
    with pytest.raises(CommandError, match="DATABASES: keep the default"):
        startup.prepare()


@pytest.mark.parametrize("half", ["UpdateCacheMiddleware", "FetchFromCacheMiddleware"])
def test_service_does_not_start_behind_a_cache_that_answers_before_it(half: str) -> None:
    cached = override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, f"django.middleware.cache.{half}"])
    with cached, pytest.raises(CommandError, match="MIDDLEWARE: Django's cache of the whole site"):
        startup.prepare()


@pytest.mark.parametrize(
    ("settings_of_project", "refused"),
    [({"USE_TZ": False}, "USE_TZ must be on"), ({"DEBUG": True, "PRODUCTION": True}, "DEBUG must be off")],
)
def test_service_does_not_start_with_what_breaks_its_word(
    settings_of_project: dict[str, bool], refused: str
) -> None:
    with override_settings(**settings_of_project), pytest.raises(CommandError, match=refused):
        startup.prepare()


class Door(View):
    @method_decorator(public)
    def dispatch(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


class BackDoor(Door):
    """Says nothing of itself."""


def is_open(view: Callable[..., object]) -> bool:
    request = RequestFactory().get("/")
    request.source = Source(ip="192.0.2.1")  # type: ignore[attr-defined]
    return AccessTokenMiddleware(lambda _: HttpResponse()).process_view(request, view, (), {}) is None


def test_class_does_not_inherit_that_a_method_is_public() -> None:
    assert is_open(Door.as_view())
    assert not is_open(BackDoor.as_view())


def test_app_whose_name_begins_like_the_services_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "__module__", "secure_auth_shop.views")
    assert not is_open(window)


def window(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_asynchronous_view_is_refused_where_it_is_decorated() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(TypeError, match="synchronous"):
        token_required(view)
