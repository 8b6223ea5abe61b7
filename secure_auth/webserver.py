"""The web server of one node: gunicorn with threaded workers, on a socket that the supervisor already holds.

Promises: it trusts no forwarded header (RequestMiddleware judges those), names no product in its answers,
writes no access log (audit events and metrics tell the same without secrets) and no file outside DATA_DIR.
Refuses: request lines over 4 KiB, more than 64 header fields, fields over 8 KiB, and requests that take more
than READ_SECONDS to arrive, so that slow senders cannot hold the threads for long.
"""

import errno
import os
import socket
import time
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.workers import gthread

from secure_auth.supervisor import end_with_parent

READ_SECONDS = 10
WRITE_SECONDS = 20
GRACEFUL_SECONDS = 5


class DeadlineReader:
    """The reading side of a connection, with one deadline for each request."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline = 0.0

    def recv(self, size: int) -> bytes:
        """At most `size` bytes. ConnectionResetError after the deadline: gunicorn ends that quietly."""
        left = self.deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self.connection.settimeout(left)
            return self.connection.recv(size)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the request took too long to arrive") from error
        finally:
            self.connection.settimeout(WRITE_SECONDS)


class Connection(gthread.TConn):
    def init(self) -> None:
        """Called before each request of the connection is read: starts its deadline."""
        super().init()
        reader = self.parser.unreader
        if not isinstance(reader.sock, DeadlineReader):
            reader.sock = DeadlineReader(reader.sock)
        reader.sock.deadline = time.monotonic() + READ_SECONDS


class Response(wsgi.Response):
    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


class JSONLog(Logger):
    def setup(self, cfg: Any) -> None:
        """No handlers of gunicorn's own: its lines go through the root logger's redacting one."""
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")


class WebServer(BaseApplication):
    """gunicorn without command line or configuration file."""

    def __init__(self, socket_number: int) -> None:
        self.socket_number = socket_number
        super().__init__()

    def load_config(self) -> None:
        for name, value in configuration(self.socket_number).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return get_wsgi_application()


def configuration(socket_number: int) -> dict[str, Any]:
    return {
        "bind": f"fd://{socket_number}",
        "workers": settings.SERVER_WORKERS,
        "worker_class": gthread.ThreadWorker,
        "threads": settings.SERVER_THREADS,
        "worker_connections": 1000 + settings.SERVER_THREADS,
        "preload_app": True,
        "backlog": 1024,
        "keepalive": 15,
        "timeout": 60,
        "graceful_timeout": GRACEFUL_SECONDS,
        "limit_request_line": 4094,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "control_socket_disable": True,
        "worker_tmp_dir": str(settings.DATA_DIR),
        "proc_name": "secure-auth",
        "logger_class": JSONLog,
        "post_fork": _end_with_arbiter,
    }


def _end_with_arbiter(arbiter: Any, worker: Any) -> None:
    end_with_parent(arbiter.pid)


def serve(socket_number: int) -> None:
    """Serve until a signal ends it; leaves by SystemExit."""
    os.environ.pop("GUNICORN_CMD_ARGS", None)
    gthread.TConn = Connection
    wsgi.Response = Response
    Arbiter(WebServer(socket_number)).run()
