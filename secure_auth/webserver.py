"""The web server of one node: gunicorn keeps the workers, waitress speaks HTTP in each of them.

gunicorn loads the code once, forks the workers and replaces one that dies or hangs. waitress receives a whole
request before it takes one of the threads and sends the answer without one: slow clients hold none (`connections.py`).

Promises: it trusts no forwarded header (RequestMiddleware judges those), names no product in its answers,
writes no access log (audit events and metrics tell the same without secrets) and no file outside DATA_DIR.
"""

import codecs
import contextlib
import gc
import logging
import os
import resource
import time
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from waitress import wasyncore

from secure_auth import agents, connections, keys, lines, metrics, passwords
from secure_auth.balance import Balance
from secure_auth.connections import GRACEFUL_SECONDS, Server
from secure_auth.handler import make_application
from secure_auth.stopping import release_signals, signals_held
from secure_auth.supervisor import end_with_parent
from secure_auth.threads import PATIENCE_SECONDS, Threads
from throttling.stores import redis

OPEN_FILES = 4096
POLL_SECONDS = 0.5
TELL_AGAIN_SECONDS = 60


class WaitressWorker(Worker):
    """One forked worker process."""

    balance: Balance
    place: int | None

    def init_signals(self) -> None:
        """Called by gunicorn after the fork: from now on the worker itself hears what `Master` held."""
        super().init_signals()
        release_signals()

    def run(self) -> None:
        """Serve until a signal says stop or the arbiter is gone, then finish what was begun."""
        lines.write_to_standard_output(by_thread=True)
        with contextlib.suppress(Error):  # it is away: requests will say so
            keys.read_rings()
            connection.close()
        redis.greet()
        sockets: dict[int, Any] = {}
        threads = Threads()
        threads.set_thread_count(settings.SERVER_THREADS)
        servers = [self._server(listener.sock, sockets, threads) for listener in self.sockets]
        notify_at = 0.0
        while self.alive and self.ppid == os.getppid():
            if time.monotonic() >= notify_at:
                self.notify()
                notify_at = time.monotonic() + POLL_SECONDS
            yields = any(server.is_yielding() for server in servers)
            rest_seconds = PATIENCE_SECONDS if threads.look() else POLL_SECONDS
            wasyncore.poll2(connections.LOOK_SECONDS if yields else rest_seconds, sockets)
        for server in servers:
            server.stop_listening()
        stopped_at, looking_seconds = time.monotonic(), 0.0
        while any(server.is_needed(time.monotonic() - stopped_at, looking_seconds) for server in servers):
            self.notify()
            threads.look()
            looks_at = time.monotonic()
            wasyncore.poll2(PATIENCE_SECONDS, sockets)
            looking_seconds += min(time.monotonic() - looks_at, PATIENCE_SECONDS)
        threads.shutdown(timeout=1)

    def _server(self, listener: Any, sockets: dict[int, Any], threads: Threads) -> Server:
        server = Server(
            self.wsgi,
            map=sockets,
            _sock=listener,
            dispatcher=threads,
            adj=connections.adjustments(),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        server.balance, server.place = self.balance, self.place
        return server


class JSONLog(Logger):
    """gunicorn's log without handlers of its own: its lines go through the root logger's redacting one."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at its start."""
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        logging.getLogger("waitress").setLevel(logging.ERROR)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class Master(Arbiter):
    """gunicorn's arbiter. A worker that is told to stop while it is being forked stops, and is not killed for it.

    One that cannot be forked now, short of memory, processes or descriptors, is forked later, and the others live on:
    gunicorn would end them all, and begin none instead.
    """

    placed: int | None = None  # the place of the worker that is being forked
    _silent_until = 0.0

    def spawn_worker(self) -> int:
        """Fork a worker, which does not return from here."""
        self.placed = None
        with signals_held():
            try:
                return int(super().spawn_worker())
            except OSError:
                if os.getpid() == self.pid:
                    self.app.balance.leave(self.placed)
                raise

    def spawn_workers(self) -> None:
        """Called by gunicorn every second, while some are missing."""
        try:
            super().spawn_workers()
        except OSError as error:
            if os.getpid() != self.pid or not self.WORKERS:
                raise
            if time.monotonic() >= self._silent_until:
                self._silent_until = time.monotonic() + TELL_AGAIN_SECONDS
                self.log.error("a web worker could not be forked (%s); it is tried again", error.strerror)


class WebServer(BaseApplication):
    """gunicorn without command line or configuration file."""

    def __init__(self, socket_number: int) -> None:
        self.socket_number = socket_number
        self.balance = Balance(2 * settings.SERVER_WORKERS)  # one that ends may have a successor already
        super().__init__()

    def load_config(self) -> None:
        """Everything that differs from gunicorn's defaults."""
        for name, value in configuration(self.socket_number).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, loaded once before the workers are forked: no first request pays for it."""
        application = make_application()
        get_resolver().url_patterns  # noqa: B018 imports every view: a broken one stops the start
        passwords.dummy_hash()
        agents.describe_agent("")  # compiles the rules, once for all workers
        # What is loaded now lives as long as the process: looking through it again and again cost a login some 5 %.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        return application


def configuration(socket_number: int) -> dict[str, Any]:
    """gunicorn's settings."""
    return {
        "bind": f"fd://{socket_number}",
        "workers": settings.SERVER_WORKERS,
        "worker_class": WaitressWorker,
        "preload_app": True,
        "backlog": 1024,
        "timeout": 60,
        "graceful_timeout": GRACEFUL_SECONDS + 2,  # a second for its threads, and one for its lines
        "control_socket_disable": True,
        "worker_tmp_dir": str(settings.DATA_DIR),
        "logger_class": JSONLog,
        "pre_fork": _place_worker,
        "post_fork": _begin_worker,
        "worker_exit": _end_worker,
        "child_exit": _bury_worker,
    }


def _place_worker(arbiter: Any, worker: Any) -> None:
    worker.balance, worker.place = arbiter.app.balance, arbiter.app.balance.join()
    arbiter.placed = worker.place


def _begin_worker(arbiter: Any, worker: Any) -> None:
    end_with_parent(arbiter.pid)
    metrics.begin()


def _end_worker(arbiter: Any, worker: Any) -> None:
    """The last that a worker does, after gunicorn has told why it could not go on."""
    lines.finish()


def _bury_worker(arbiter: Any, worker: Any) -> None:
    metrics.bury(worker.pid)
    worker.balance.leave(worker.place)


def allow_files() -> None:
    """Raise the soft limit of open files: connections and, on SQLite, three files a thread pass the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(socket_number: int) -> None:
    """Serve until a signal ends it; leaves by SystemExit."""
    allow_files()
    # Django escapes each refusal's path by it. Python remembers for ever that a codec was not found, as without a
    # descriptor left to open its module by: every refusal of that process was an internal error from then on.
    codecs.lookup("unicode_escape")
    Master(WebServer(socket_number)).run()
