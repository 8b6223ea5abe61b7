"""The stock project as a running process: gunicorn with threads, as many workers and threads as this service has."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.server import ROOT, free_port

CREATE = """
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
call_command("migrate", verbosity=0)
User.objects.create_user("stock", "stock@example.org", "{password}")
"""


@dataclass(frozen=True)
class StockNode:
    """Where it answers, and its process."""

    url: str
    pid: int


@contextlib.contextmanager
def wsgi_process(
    command: list[str], environment: dict[str, str], port: int, probe: str
) -> Iterator[StockNode]:
    """A server process that answers, ended afterwards."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url + probe, timeout=5, trust_env=False)
                break
            time.sleep(0.2)
        yield StockNode(url, process.pid)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


@contextlib.contextmanager
def stock_node(database_url: str, directory: Path, password: str) -> Iterator[StockNode]:
    """The stock project over a database of its own (empty: SQLite), with one account, `stock`."""
    url = database_url or f"sqlite:///{directory / 'stock.sqlite3'}"
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "tests.bench.stock.settings",
        "STOCK_DATABASE_URL": url,
    }
    subprocess.run(
        [sys.executable, "-c", CREATE.format(password=password)], cwd=ROOT, env=environment, check=True
    )
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--workers", "2", "--threads", "64"]
    command += ["--preload", "-b", f"127.0.0.1:{port}", "tests.bench.stock.wsgi:application"]
    with wsgi_process(command, environment, port, "/api/v1/me/") as node:
        yield node
