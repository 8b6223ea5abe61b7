"""The web server of one node: gunicorn keeps the workers, waitress speaks HTTP in each of them.

gunicorn loads the code once, forks the workers and replaces one that dies or hangs. waitress receives a whole
request before it takes one of the threads and sends the answer without one: slow clients hold none.

Promises: it trusts no forwarded header (RequestMiddleware judges those), names no product in its answers,
writes no access log (audit events and metrics tell the same without secrets) and no file outside DATA_DIR.
Answers made here, before any other code sees the request, are problem documents too.
Refuses: heads over 16 KiB, bodies over 1 MiB (the middleware refuses at 64 KiB; up to here the client can
still read that answer), and requests that take longer than READ_SECONDS to arrive. A streamed answer does hold a
thread: at most OUTPUT_BYTES of it wait in memory, and a client that takes nothing for SEND_SECONDS is cut off.
"""

import contextlib
import gc
import json
import logging
import os
import resource
import time
from typing import Any

import uuid_utils
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError, connection
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from secure_auth import agents, keys, metrics, passwords
from secure_auth.errors import Code
from secure_auth.supervisor import end_with_parent
from secure_auth.threads import LastIn
from throttling.stores import redis

HEAD_BYTES = 16 * 1024
BODY_BYTES = 1024 * 1024
OUTPUT_BYTES = 1024 * 1024
READ_SECONDS = 15
SEND_SECONDS = 60
IDLE_SECONDS = 30
GRACEFUL_SECONDS = 5
CONNECTIONS = 1000
OPEN_FILES = 4096
POLL_SECONDS = 0.5


class Task(WSGITask):
    """The answer of the application: a short one leaves in one piece, its head with its body."""

    wrote_header: bool

    def write(self, data: bytes) -> None:
        """Send a part of the body, and the head before the first."""
        if self.wrote_header or not self.complete or self.content_length != len(data) or not self.has_body:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(head + data)


class ProblemTask(ErrorTask):
    """The answer to a request that cannot be read (RFC 9457)."""

    codes = {413: Code.PAYLOAD_TOO_LARGE, 500: Code.INTERNAL_ERROR}

    def execute(self) -> None:
        code = self.codes.get(self.request.error.code, Code.VALIDATION_FAILED)
        request_id = str(uuid_utils.uuid7())
        document: dict[str, Any] = {
            "type": f"{settings.ORIGIN}/problems/{code.slug}/",
            "title": code.title,
            "status": code.status,
            "detail": "The request could not be read as HTTP.",
            "code": code.slug,
            "request_id": request_id,
        }
        if code is Code.VALIDATION_FAILED:
            document["errors"] = {}
        body = json.dumps(document).encode()
        self.status = f"{code.status} {code.title}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-ID", request_id),
        ]
        metrics.count_answer(code.status)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class RequestParser(HTTPRequestParser):
    """Refuses a request whose length is told twice, which two servers may read as two different requests.

    One without a body that expects "100-continue" is answered at once.
    """

    def parse_header(self, header_plus: bytes) -> None:
        """RFC 9112 section 6.1: both fields together ought to be handled as an error."""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")
        if not self.chunked and not self.content_length:
            self.expect_continue = (
                False  # nothing will come: to ask for it would be to wait for ever (RFC 9110 10.1.1)
            )


class Channel(HTTPChannel):
    """A connection that knows since when a request has been arriving on it, and whether the loop must look at it."""

    parser_class = RequestParser
    task_class = Task
    error_task_class = ProblemTask
    arriving_since = 0.0

    def __init__(self, server: "Server", *arguments: Any, **named: Any) -> None:
        super().__init__(server, *arguments, **named)
        self.server = ServerOf(self, server)

    def received(self, data: bytes) -> bool:
        """Note the beginning of each request."""
        if self.request is None:
            self.arriving_since = time.time()
        return bool(super().received(data))


class ServerOf:
    """The server as a channel sees it: its loop is woken for what it does not wait for already.

    The loop waits for the next request of a channel while one is served. To wake it after each answer costs more than
    reading a request does.
    """

    def __init__(self, channel: Channel, server: "Server") -> None:
        self._channel, self._server = channel, server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def pull_trigger(self) -> None:
        """Something is left to send, to close, or to read after a second request."""
        channel = self._channel
        if channel.total_outbufs_len or channel.requests or channel.will_close or channel.close_when_flushed:
            self._server.pull_trigger()


class Server(TcpWSGIServer):
    """Closes connections that are idle, and those whose request does not arrive in time."""

    channel_class = Channel

    def maintenance(self, now: float) -> None:
        """Called by waitress every `cleanup_interval` seconds."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.request is not None and channel.arriving_since < now - READ_SECONDS:
                channel.will_close = True
            if channel.total_outbufs_len and channel.last_activity < now - SEND_SECONDS:
                channel.handle_close()  # its socket is not writable: nothing else would ever look at it again

    def is_busy(self) -> bool:
        """Whether an answer is still being made or sent."""
        return any(channel.requests or channel.total_outbufs_len for channel in self.active_channels.values())


class WaitressWorker(Worker):
    """One forked worker process."""

    def run(self) -> None:
        """Serve until a signal says stop or the arbiter is gone, then finish what was begun."""
        with contextlib.suppress(DatabaseError):  # it is away: requests will say so
            keys.read_rings()
            connection.close()
        redis.greet()
        sockets: dict[int, Any] = {}
        threads = ThreadedTaskDispatcher()
        threads.queue_cv = LastIn(threads.lock)
        threads.set_thread_count(settings.SERVER_THREADS)
        servers = [self._server(listener.sock, sockets, threads) for listener in self.sockets]
        notify_at = 0.0
        while self.alive and self.ppid == os.getppid():
            if time.monotonic() >= notify_at:
                self.notify()
                notify_at = time.monotonic() + POLL_SECONDS
            wasyncore.poll2(POLL_SECONDS, sockets)
        for server in servers:
            server.accepting = False
        give_up_at = time.monotonic() + GRACEFUL_SECONDS
        while any(server.is_busy() for server in servers) and time.monotonic() < give_up_at:
            self.notify()
            wasyncore.poll2(0.05, sockets)
        threads.shutdown(timeout=1)

    def _server(self, listener: Any, sockets: dict[int, Any], threads: ThreadedTaskDispatcher) -> Server:
        return Server(
            self.wsgi,
            map=sockets,
            _sock=listener,
            dispatcher=threads,
            adj=adjustments(),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )


class JSONLog(Logger):
    """gunicorn's log without handlers of its own: its lines go through the root logger's redacting one."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at its start."""
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        logging.getLogger("waitress").setLevel(logging.ERROR)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class WebServer(BaseApplication):
    """gunicorn without command line or configuration file."""

    def __init__(self, socket_number: int) -> None:
        self.socket_number = socket_number
        super().__init__()

    def load_config(self) -> None:
        """Everything that differs from gunicorn's defaults."""
        for name, value in configuration(self.socket_number).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, loaded once before the workers are forked: no first request pays for it."""
        application = get_wsgi_application()
        get_resolver().url_patterns  # noqa: B018 imports every view: a broken one stops the start
        passwords.dummy_hash()
        agents.describe_agent("")  # compiles the rules, once for all workers
        # What is loaded now lives as long as the process: looking through it again and again cost a login some 5 %.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        return application


def adjustments() -> Adjustments:
    """waitress's settings."""
    return Adjustments(
        ident=None,
        threads=settings.SERVER_THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=HEAD_BYTES,
        max_request_body_size=BODY_BYTES,
        inbuf_overflow=2 * BODY_BYTES,  # bodies stay in memory: they hold passwords
        outbuf_overflow=64 * BODY_BYTES,
        outbuf_high_watermark=OUTPUT_BYTES,
        channel_request_lookahead=1,  # or nobody notices that the client of a long answer has hung up
        clear_untrusted_proxy_headers=False,
        log_socket_errors=False,
        server_name="localhost",
    )


def configuration(socket_number: int) -> dict[str, Any]:
    """gunicorn's settings."""
    return {
        "bind": f"fd://{socket_number}",
        "workers": settings.SERVER_WORKERS,
        "worker_class": WaitressWorker,
        "preload_app": True,
        "backlog": 1024,
        "timeout": 60,
        "graceful_timeout": GRACEFUL_SECONDS + 1,
        "control_socket_disable": True,
        "worker_tmp_dir": str(settings.DATA_DIR),
        "logger_class": JSONLog,
        "post_fork": _begin_worker,
        "child_exit": _bury_worker,
    }


def _begin_worker(arbiter: Any, worker: Any) -> None:
    end_with_parent(arbiter.pid)
    metrics.begin()


def _bury_worker(arbiter: Any, worker: Any) -> None:
    metrics.bury(worker.pid)


def allow_files() -> None:
    """Raise the soft limit of open files: connections and, on SQLite, three files a thread pass the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(socket_number: int) -> None:
    """Serve until a signal ends it; leaves by SystemExit."""
    allow_files()
    Arbiter(WebServer(socket_number)).run()
