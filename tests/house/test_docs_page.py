"""The page of the API documentation: this origin's files only, nothing inline."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client
from tests.server import Server
from tests.services import browser_program

pytestmark = pytest.mark.xdist_group("house")
SHARED = ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")


def policy(text: str) -> dict[str, str]:
    """The directives of a content security policy."""
    return {name: value for name, _, value in (part.strip().partition(" ") for part in text.split(";"))}


def test_docs_policy_allows_this_origin_only(visitor: Callable[[], Client]) -> None:
    page = visitor().get("/api/docs/")
    directives = policy(page.headers["Content-Security-Policy"])
    assert directives["default-src"] == "'none'"
    assert {directives[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
    assert directives["img-src"] == "'self' data:"
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_docs_page_holds_no_inline_code_and_all_its_files_are_served(visitor: Callable[[], Client]) -> None:
    client = visitor()
    page = client.get("/api/docs/").text
    assert "<style" not in page
    assert not re.search(r"\s(?:style|on\w+)=", page)
    assert all(re.search(r"\ssrc=", tag) for tag in re.findall(r"<script[^>]*>", page))
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) >= 4
    for file in files:
        assert file.startswith("/")
        assert not file.startswith("//")
        answer = client.get(file)
        assert answer.status_code == 200, file
        for name in SHARED:
            assert name in answer.headers, (file, name)
        assert "Access-Control-Allow-Origin" not in answer.headers, file


@pytest.mark.long
def test_docs_page_renders_in_a_browser_without_violations(service: Server, tmp_path: Path) -> None:
    options = "--headless --no-sandbox --disable-gpu --disable-background-networking --enable-logging=stderr"
    done = subprocess.run(
        [
            browser_program(),
            *options.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            f"{service.origin}/api/docs/",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "/api/v1/login/verify/" in re.sub(r"<[^>]+>|​", "", done.stdout)
    assert "CONSOLE" not in done.stderr
