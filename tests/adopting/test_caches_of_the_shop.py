"""What a cache may keep of an adopting project's views, it gives to nobody else."""

from http.cookies import SimpleCookie

import pytest

from tests.client import Client, Person, expect

pytestmark = pytest.mark.xdist_group("shop")


def cookie_of(visitor: Client, person: Person) -> dict[str, str]:
    delivered = {"X-Token-Delivery": "cookie"}
    answer = visitor.post("token/refresh/", {"refresh": person.refresh}, headers=delivered)
    cookies = SimpleCookie("; ".join(answer.headers.get_list("Set-Cookie")))
    visitor.http.cookies.clear()
    return {"Cookie": f"__Host-access={cookies['__Host-access'].value}"}


@pytest.mark.parametrize("path", ["/shop/receipt/", "/shop/kept-receipt/"])
def test_what_a_token_opened_differs_by_token_for_any_cache(visitor: Client, path: str) -> None:
    person = visitor.sign_up()
    answer = visitor.get(path, person.access)
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert answer.headers["Vary"] == "Authorization, Cookie"


def test_kept_answer_is_given_to_no_other_cookie(visitor: Client) -> None:
    owner, other = visitor.sign_up(), visitor.sign_up()
    users = [expect(visitor.me(person.access), 200)["id"] for person in (owner, other)]
    for person, user in zip((owner, other), users, strict=True):
        answer = visitor.get("/shop/kept-receipt/", headers=cookie_of(visitor, person))
        assert expect(answer, 200) == {"user": user}


def test_public_views_may_be_kept_for_all(visitor: Client) -> None:
    assert "Vary" not in visitor.get("/shop/window/").headers
