"""What an adopting project's views of Django REST framework raise is answered as they say, as problem documents."""

import pytest

from tests.client import Client

pytestmark = pytest.mark.xdist_group("shop")


def test_exception_of_the_project_keeps_its_status_and_its_words(visitor: Client) -> None:
    answer = visitor.get("/shop/rest/last-pieces/")
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Somebody else was faster.",
        "code": "sold_out",
        "request_id": answer.headers["X-Request-ID"],
    }


def test_throttle_of_the_project_tells_how_long_to_wait(visitor: Client) -> None:
    answer = visitor.get("/shop/rest/busy/")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "13"


@pytest.mark.parametrize(
    ("what", "status", "code", "detail"),
    [
        ("odd", 499, "sold_out", "Somebody else was faster."),
        ("closed", 403, "permission_denied", "Closed on Sundays."),
        ("gone", 404, "not_found", "Ask next year."),
        ("listed", 403, "permission_denied", "Closed on Sundays. Come on Monday."),
        ("unmarked", 402, "unpaid", "Pay first."),
        ("nested", 402, "unpaid", "Pay first. In cash."),
        ("plain", 403, "permission_denied", "Your account lacks the role that this needs."),
    ],
)
def test_refusal_that_the_project_explains_is_told_in_its_words(
    visitor: Client, what: str, status: int, code: str, detail: str
) -> None:
    answer = visitor.get(f"/shop/rest/odd/{what}/")
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"], body["detail"]) == (
        status,
        status,
        code,
        detail,
    )
