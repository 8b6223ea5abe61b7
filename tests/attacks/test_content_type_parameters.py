"""Attacker: anyone who can send bytes. Move: a charset that is none, or too many fields, as often as it likes.

Django reads what a Content-Type names while it makes the request, before any middleware. Expected: the answer that the
request gets without them, with the headers of every answer, counted like any other, and no traceback.
"""

import pytest

from secure_auth.handler import without_parameters
from tests.attacks.insider import SECRET, parsing
from tests.client import Client, new_email
from tests.problems import problem

pytestmark = pytest.mark.usefixtures("no_traceback")

MANY_FIELDS = "&".join(f"a{number}=1" for number in range(60))
PARAMETERS = [
    "charset=zlib",
    "charset=rot13",
    "charset=undefined",
    "charset=punycode",
    "charset=utf-16",
    "charset*=zlib''%41",
    "x*=nothing''%41",
    "x*0*=nothing'",
]


@parsing
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_parameters_of_a_content_type_change_no_answer(client: Client, parameter: str) -> None:
    headers = {"Content-Type": f"application/json; {parameter}"}
    shown = client.get("/sign-in/?next=%2Factivity%2F%C3", headers=headers)
    assert shown.status_code == 200
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    body = f'{{"email": "{new_email()}", "password": "{SECRET}"}}'.encode()
    for path in ("login/", "login/?a=%C3", f"login/?{MANY_FIELDS}"):
        problem(client.post(path, content=body, headers=headers), "invalid_credentials")
    problem(client.get("/nowhere", headers=headers), "not_found")


@parsing
def test_a_form_is_utf8_whatever_it_says(client: Client) -> None:
    for charset in ("zlib", "latin-1", "utf-16", "utf-8"):
        headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
        assert client.post("/sign-in/", content=b"email=%C3", headers=headers).status_code == 403


def test_a_body_in_parts_keeps_its_boundary_alone() -> None:
    for given, kept in {
        "multipart/form-data; charset=zlib; Boundary=a-b'c; x*=nothing''1": "multipart/form-data; boundary=a-b'c",
        'multipart/form-data;boundary="a b"': 'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary*=zlib''a": "multipart/form-data",
        "multipart/form-data; boundary=\xe4": "multipart/form-data",
        " text/plain ;": "text/plain",
    }.items():
        assert without_parameters(given) == kept
