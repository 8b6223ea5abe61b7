"""Whose word counts for the trace of a request."""

import ipaddress

import pytest
from django.conf import settings
from django.test import RequestFactory

import tests.ready  # noqa: F401
from secure_auth.middleware import read_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("trusted", "found"), [([], {}), (["192.0.2.0/24"], {"trace_id": TRACE, "span_id": SPAN})]
)
def test_only_a_trusted_proxy_names_the_trace(
    trusted: list[str], found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", [ipaddress.ip_network(one) for one in trusted])
    request = RequestFactory().get(
        "/", REMOTE_ADDR="192.0.2.7", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"}
    )
    assert read_trace(request) == found


def test_a_later_version_of_the_header_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", [ipaddress.ip_network("192.0.2.7")])
    for value, is_known in ((f"01-{TRACE}-{SPAN}-00-what", True), (f"00-{TRACE}-{SPAN}", False)):
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", headers={"traceparent": value})
        assert bool(read_trace(request)) == is_known
