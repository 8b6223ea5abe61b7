"""Attacker: mails a link to our sign-in page that is to lead on to another site afterwards.

Move: `next` with another host, a scheme, backslashes, control characters, or another page's script.
Refusal: after sign-in and at each step between, only paths of this service are led to.
"""

import pytest

from tests.client import Client, Person
from tests.visitor import Visitor

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example/",
    "/%0d%0aLocation:%20https://evil.example/",
    "http:///evil.example",
    "evil.example",
]


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


def test_next_leads_nowhere_else(visitor: Visitor, person: Person) -> None:
    visitor.sign_in(person)
    for path in ELSEWHERE:
        answer = visitor.ask("GET", "/sign-in/", params={"next": path})
        target = answer.headers["Location"]
        assert answer.status == 303
        assert target == "/" or (target.startswith("/%0d%0a") and "\n" not in target), (path, target)


def test_next_leads_to_a_page_of_ours_through_both_steps(visitor: Visitor, person: Person) -> None:
    visitor.open("/activity/")
    assert visitor.page.path == "/sign-in/"
    visitor.fill(email=person.email, password=person.password)
    assert visitor.page.path == "/sign-in/code/"
    assert visitor.fill(code=person.code()).path == "/activity/"


def test_no_page_keeps_the_query_that_another_site_led_here_with(visitor: Visitor) -> None:
    for path in ("/sign-up/?planted=1", "/sign-in/?next=/console/events/%3Fq%3Dplanted"):
        led = visitor.ask("GET", path, headers={"Sec-Fetch-Site": "cross-site"})
        assert led.status == 200
        assert "planted" not in led.response.text
        assert "planted" in visitor.ask("GET", path).response.text
