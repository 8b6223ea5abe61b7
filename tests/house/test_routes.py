"""The addresses of the service are those listed here and in the schema, and each says whom it lets in."""

import re
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver

from secure_auth import urls
from secure_auth.api.common import ServiceView
from tests.house.schema import operations

# Method, path below /api/v1/, and who may: a token, a role, and whether the login must be fresh.
CONTRACT = """
POST register/ -
POST register/confirm/ -
POST login/ -
POST login/verify/ partial
POST login/webauthn/options/ partial
POST reauthenticate/ access
POST reauthenticate/webauthn/options/ access
GET mfa/ access
PATCH mfa/{}/ access fresh
DELETE mfa/{}/ access fresh
POST mfa/webauthn/options/ access fresh
POST mfa/webauthn/ access fresh
POST mfa/totp/ grant
POST mfa/totp/{}/confirm/ grant
POST mfa/recovery-codes/ access fresh
GET devices/ access
DELETE devices/{}/ access
POST token/refresh/ -
POST token/introspect/ client
POST token/revoke/ -
POST token/verify/ -
POST logout/ access
GET sessions/ access
DELETE sessions/ access
DELETE sessions/{}/ access
GET me/ access
DELETE me/ access fresh
GET me/export/ access fresh
GET me/activity/ access
POST password/change/ access fresh
POST password/reset/ -
POST password/strength/ -
POST password/reset/confirm/ -
POST email/change/ access fresh
POST email/change/confirm/ -
POST mfa/reset/cancel/ -
GET audit/events/ access auditor
GET audit/events/{}/ access auditor
GET audit/events/{}/proof/ access auditor
GET audit/export/ access auditor
GET audit/summary/ access auditor
GET audit/log/checkpoint access auditor
GET audit/log/vkey access auditor
GET audit/log/vkeys access auditor
GET audit/log/tile/{}/{} access auditor
GET audit/log/tile/entries/{} access auditor
GET audit/log/{}/checkpoint access auditor
GET audit/log/{}/vkey access auditor
GET audit/log/{}/vkeys access auditor
GET audit/log/{}/tile/{}/{} access auditor
GET audit/log/{}/tile/entries/{} access auditor
GET audit/detections/ access auditor
GET audit/detections/{}/ access auditor
POST audit/detections/{}/acknowledge/ access auditor
GET admin/users/ access admin fresh
POST admin/users/{}/{}/ access admin fresh
GET admin/invitations/ access admin fresh
POST admin/invitations/ access admin fresh
DELETE admin/invitations/{}/ access admin fresh
"""
# The pages for people, not in the schema: methods, path, and what each asks for. A "login" is one whose password was
# proved; a "grant" is one that may enrol, or a fresh session. All of the console also ask that it was not left idle.
PAGES = """
GET / -
GET,POST /sign-in/ -
GET,POST /sign-in/code/ login
POST /sign-in/passkey/ login
POST /sign-out/ session
GET,POST /reauthenticate/ session
GET,POST /reauthenticate/highest/ session
POST /reauthenticate/passkey/ session
GET,POST /passkeys/new/ session fresh highest
POST /passkeys/options/ session fresh highest
POST /language/ -
GET,POST /sign-up/ -
GET /sign-up/sent/ -
GET,POST /confirm/ -
GET,POST /enrol/ grant
GET,POST /enrol/app/ grant
GET,POST /recovery-codes/ session
GET,POST /recovery-codes/new/ session fresh highest
GET,POST /forgot/ -
GET /forgot/sent/ -
GET,POST /reset/ -
GET,POST /invited/ -
GET,POST /address/ -
GET,POST /cancel-reset/ -
GET,POST /password/ session fresh
GET,POST /address/change/ session fresh
GET,POST /account/data/ session fresh
GET,POST /account/delete/ session fresh
GET /activity/ session
GET,POST /authenticators/{}/rename/ session fresh highest
GET,POST /authenticators/{}/remove/ session fresh highest
POST /sessions/{}/end/ session
POST /sessions/end-others/ session
POST /devices/{}/forget/ session
GET /console/ session auditor
GET /console/events/ session auditor
GET /console/events/export/ session auditor
POST /console/events/tail/ session auditor
GET /console/events/tail/{}/ session auditor
POST /console/events/tail/{}/stop/ session auditor
GET /console/events/{}/ session auditor
GET /console/events/{}/proof/ session auditor
GET /console/detections/ session auditor
GET /console/detections/{}/ session auditor
POST /console/detections/{}/acknowledge/ session auditor fresh
GET /console/people/ session admin fresh
GET /console/people/{}/ session admin fresh
POST /console/people/{}/{}/ session admin fresh
GET /console/integrity/ session auditor
POST /console/integrity/verify/ session auditor fresh
GET /console/integrity/progress/ session auditor
GET /problems/ -
GET /problems/{}/ -
"""
NOT_DESCRIBED = {"/api/docs/", "/.well-known/change-password"}


def patterns(listed: list[Any], prefix: str = "/") -> list[tuple[str, URLPattern]]:
    found: list[tuple[str, URLPattern]] = []
    for one in listed:
        path = prefix + re.sub(r"<[^>]+>", "{}", str(one.pattern))
        found += patterns(one.url_patterns, path) if isinstance(one, URLResolver) else [(path, one)]
    return found


def views() -> list[tuple[str, type[ServiceView]]]:
    every = patterns(urls.urlpatterns)
    return [(path, one.callback.cls) for path, one in every if hasattr(one.callback, "cls")]


def test_routes_are_those_of_the_contract() -> None:
    wanted = {tuple(line.split(" ", 2)) for line in CONTRACT.strip().splitlines()}
    found = set()
    for path, view in views():
        methods = [name.upper() for name in view.http_method_names if hasattr(view, name)]
        for name in methods:
            fresh = "fresh" if view.needs_fresh(name) else ""
            who = " ".join(filter(None, [view.bearer or "-", view.role, fresh]))
            found |= {(name, path.removeprefix("/api/v1/"), who)} if name != "OPTIONS" else set()
    assert found == wanted


def pages() -> list[tuple[str, Any]]:
    every = patterns(urls.urlpatterns)
    return [(path, one.callback) for path, one in every if hasattr(one.callback, "answer_problem")]


def test_pages_are_those_promised() -> None:
    found = {(",".join(view.methods), path, " ".join(getattr(view, "asked", "-"))) for path, view in pages()}
    assert found == {tuple(line.split(" ", 2)) for line in PAGES.strip().splitlines()}


def test_every_view_of_the_api_judges_its_token_in_one_place() -> None:
    for path, view in views():
        assert issubclass(view, ServiceView), path
        assert view.bearer in ("", "partial", "access", "grant", "client"), path
        assert view.bearer == "access" or not (view.role or view.fresh), path
        assert not view.authentication_classes, path
        assert not view.permission_classes, path


def test_every_route_is_documented_and_nothing_else_is() -> None:
    documented = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in operations()}
    existing = set()
    for_people = NOT_DESCRIBED | {path for path, _ in pages()}
    for path, one in patterns(urls.urlpatterns):
        view = getattr(one.callback, "cls", None)
        methods = (
            [name.upper() for name in view.http_method_names if hasattr(view, name)] if view else ["GET"]
        )
        existing |= {(name, path) for name in methods if name != "OPTIONS" and path not in for_people}
    assert documented == existing


def test_no_address_is_that_of_an_admin_site() -> None:
    request = HttpRequest()
    for request.path in ("/", "/admin/", "/api/v1/admin/users/"):
        assert not AxesProxyHandler.get_implementation().is_admin_request(request)
