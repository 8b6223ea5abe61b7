"""`manage.py serve`: one node, with its web server and its background worker, in the foreground."""

import argparse
import contextlib
import errno
import http.client
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from secure_auth import lines, metrics, startup, webserver, worker
from secure_auth.management.line import LineCommand
from secure_auth.management.typed import as_typed
from secure_auth.supervisor import Child, Supervisor


class Command(LineCommand):
    help = "Serve on HOST:PORT with several workers and the background worker, until Ctrl-C or SIGTERM."
    answers = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--no-worker", action="store_true", help="leave the background worker to other nodes"
        )

    def handle(self, *, no_worker: bool = False, **options: Any) -> None:
        lines.write_to_standard_output(by_thread=False)
        try:
            status = self._serve(with_worker=not no_worker)
        except KeyboardInterrupt:
            status = 130
        except BlockingIOError as error:  # of fork(2)
            raise CommandError(f"No process can be started: {error.strerror}.") from error
        sys.exit(status)

    def _serve(self, *, with_worker: bool) -> int:
        with _listen() as listener:
            children = _children(listener, with_worker)
            supervisor = Supervisor(children, _is_ready, self._announce, listener.close)
            supervisor.heed_signals()
            prepared = supervisor.do_apart(lambda: _prepare(listener))
            if prepared is None:
                return 0
            if prepared < 0:
                raise CommandError(f"The process that prepares the start was killed by signal {-prepared}.")
            if prepared:
                return prepared  # it has said why
            _share_metrics()
            status = supervisor.run()
        startup.write_back()
        if not supervisor.ready and status:
            raise CommandError("The service did not come up; the lines above say why.")
        return status

    def _announce(self) -> None:
        """On standard error, so that standard output carries JSON lines only."""
        mail = settings.MAIL.where or f"{settings.DATA_DIR / 'outbox'} (one file a message)"
        database = str(settings.DATABASES["default"]["ENGINE"]).rsplit(".", 1)[-1]
        banner = (
            f"\n  {settings.PRODUCT_NAME} is running.\n\n"
            f"    Open   {settings.ORIGIN}\n"
            f"    API    {settings.ORIGIN}/api/docs/\n"
            f"{_invitation()}"
            f"    Data   {settings.DATA_DIR} ({database})\n"
            f"    Mail   {mail}\n\n"
            "  Ctrl-C stops it.\n"
        )
        with contextlib.suppress(
            OSError, AttributeError
        ):  # closed, or so before the start: nobody there to greet
            self.stderr.write(banner, lambda text: text)


def _invitation() -> str:
    """How to try it; not where the demo's accounts would be in the way."""
    if settings.PRODUCTION:
        return ""
    return f"    Try    {as_typed('demo')}   (in another terminal)\n"


def _share_metrics() -> None:
    """A directory for each port: nodes that share DATA_DIR are asked one by one and count apart."""
    try:
        metrics.share(settings.DATA_DIR / "metrics" / str(settings.PORT))
    except OSError as error:
        raise CommandError(f"DATA_DIR is not usable: {error.strerror}: {error.filename}") from error


def _prepare(listener: socket.socket) -> None:
    listener.close()
    try:
        startup.prepare()
    except CommandError as error:
        sys.exit(f"CommandError: {error}")


def _children(listener: socket.socket, with_worker: bool) -> list[Child]:
    def work() -> None:
        listener.close()
        worker.work()

    children = [Child("auth-web", lambda: webserver.serve(listener.fileno()))]
    if with_worker:
        children.append(Child("auth-worker", work))
    return children


def _listen() -> socket.socket:
    """The listening socket of this node, kept open here: while the web server restarts, none is refused."""
    where = f"{settings.HOST}:{settings.PORT}"
    try:
        found = socket.getaddrinfo(
            settings.HOST, settings.PORT, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"{where} is in use by another program; set PORT to a free one.") from error
        raise CommandError(f"HOST and PORT: cannot listen on {where}: {error.strerror or error}.") from error
    return listener


def _is_ready() -> bool:
    """Whether the web server answers at all; /readyz tells the rest."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.PORT, timeout=1)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
