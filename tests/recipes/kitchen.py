"""Starts the recipes of docs/recipes as their readers would: from a copy, with the programs that they name."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests import services
from tests.server import INHERITED, ROOT, Server, free_port

RECIPES = ROOT / "docs" / "recipes"
START_SECONDS = 30
PYTHON = [sys.executable, "-W", "error::DeprecationWarning", "-m"]
NEEDS = {"drf": (), "fastapi": (), "node": ("node", "npm"), "nginx": ("nginx",)}
NGINX_PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Recipe:
    """A recipe that runs, and its clients, by address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clients: dict[str, httpx.Client] = {}

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def client(self, address: str) -> httpx.Client:
        if address not in self.clients:
            transport = httpx.HTTPTransport(local_address=address, verify=False)
            self.clients[address] = httpx.Client(base_url=self.url, transport=transport, timeout=30)
        return self.clients[address]

    def request(
        self, method: str, path: str, token: str, address: str = "127.0.0.1", **headers: str
    ) -> httpx.Response:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.client(address).request(method, path, headers=headers)

    def get(self, path: str, token: str, **options: str) -> httpx.Response:
        return self.request("GET", path, token, **options)


@contextlib.contextmanager
def cook(name: str, service: Server, directory: Path) -> Iterator[Recipe]:
    """One recipe on a free port, for tokens of this service.

    Skips the running test by name, and with CI=true fails it, when a program is missing.
    """
    services.require_programs(*NEEDS[name])
    folder = directory / name
    shutil.copytree(RECIPES / name, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    port = free_port()
    environment = {variable: os.environ[variable] for variable in INHERITED if variable in os.environ}
    environment |= {"ISSUER": service.origin, "PORT": str(port)}
    with contextlib.ExitStack() as stack:
        match name:
            case "drf":
                environment |= {
                    "DJANGO_SETTINGS_MODULE": "settings",
                    "SECRET_KEY": "of the recipe's own project",
                }
                command = [*PYTHON, "django", "runserver", "--noreload", f"127.0.0.1:{port}"]
            case "fastapi":
                command = [*PYTHON, "uvicorn", "main:app", "--port", str(port)]
            case "node":
                environment |= _install(folder)
                command = ["node", "server.js"]
            case _:
                backend = stack.enter_context(application())
                command = _nginx(folder, port, service, backend)
        log = stack.enter_context((directory / f"{name}.log").open("w"))
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(process, port, directory / f"{name}.log")
            recipe = Recipe(f"http://127.0.0.1:{port}")
            stack.callback(recipe.close)
            yield recipe
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            return
        time.sleep(0.05)
    raise AssertionError(f"the recipe did not come up: {log.read_text()[-4000:]}")


def _install(folder: Path) -> dict[str, str]:
    """`npm ci`, and what Node needs beyond it."""
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version.lstrip("v").partition(".")[0])
    return {} if major >= 20 else {"NODE_OPTIONS": "--experimental-global-webcrypto"}


def _nginx(folder: Path, port: int, service: Server, backend: int) -> list[str]:
    """The recipe's file in a configuration that keeps everything in its folder."""
    recipe = (folder / "secure-auth.conf").read_text()
    for written, ours in ((8000, service.nodes[0].port), (9000, backend), (8080, port)):
        assert recipe.count(f"127.0.0.1:{written}") == 1
        recipe = recipe.replace(f"127.0.0.1:{written}", f"127.0.0.1:{ours}")
    (folder / "secure-auth.conf").write_text(recipe)
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in NGINX_PATHS)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {paths} include {folder}/secure-auth.conf; }}\n"
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


@contextlib.contextmanager
def application() -> Iterator[int]:
    """The port of the application behind nginx, which answers whoever reaches it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"reached": true}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
