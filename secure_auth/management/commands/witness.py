"""`manage.py witness`: a witness of logs, on a machine that shares nothing with them."""

import argparse
import logging
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.verify.notes import ED25519, VerifierKey, parse_key
from audit.witness import server
from audit.witness.judge import Witness
from audit.witness.keyfile import open_key
from audit.witness.record import Record
from secure_auth.management.line import LineCommand

AFTER_LOSS = "begin with an empty directory, and a new key and name"


class Command(LineCommand):
    """Cosign the checkpoints of logs that only grow. Uses neither the service's database nor its keys."""

    help = (
        "Cosign the checkpoints of logs that only grow (C2SP tlog-witness). Run it on another machine, under other "
        "hands than the service's; it needs nothing of the service but the logs' verifier keys."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--listen, --state, --log, --name."""
        parser.add_argument(
            "--listen", required=True, type=_address, metavar="HOST:PORT", help="where to listen"
        )
        parser.add_argument(
            "--state", required=True, type=Path, metavar="DIR", help="key and record; made if missing"
        )
        parser.add_argument(
            "--log",
            required=True,
            action="append",
            type=_log_key,
            metavar="VKEY",
            help="the verifier key of a log (audit/log/vkey); once for each key",
        )
        parser.add_argument(
            "--name", default="", help="the witness's name, at its first start (default: of the host)"
        )

    def handle(self, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT."""
        logging.basicConfig(
            stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True
        )
        # a line for each request that waits, or client that hangs up, would let strangers fill the disk
        logging.getLogger("waitress").setLevel(logging.ERROR)
        signal.signal(signal.SIGTERM, _stop)
        host, port = options["listen"]
        witness = _open(options["state"], options["name"], options["log"])
        try:
            listener = server.listen(host, port)
        except OSError as error:
            raise CommandError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        self.stdout.write(str(witness.cosigner.verifier))
        self.stdout.flush()
        self.stderr.write(f"listening on {host}:{listener.getsockname()[1]}", lambda text: text)
        with listener:
            server.serve(witness, listener)


def _open(state: Path, name: str, logs: list[VerifierKey]) -> Witness:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, path = state / "key", state / "record.sqlite3"
        # a key that forgot what it signed would cosign what contradicts that: so the record is made before the key
        if key.exists() and not (path.exists() and path.stat().st_size):
            raise CommandError(f"{path}, what {key} cosigned, is lost: {AFTER_LOSS}")
        record = _open_record(path)
        cosigner = open_key(key, name if name or key.exists() else f"{socket.gethostname()}/witness")
        return Witness(cosigner, logs, record)
    except ValueError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"--state is not usable: {error.strerror}: {error.filename}") from error


def _open_record(path: Path) -> Record:
    try:
        return Record(path)
    except sqlite3.OperationalError as error:  # a disk that is full, a lock, no rights
        raise CommandError(f"{path} is not usable: {error}") from error
    except sqlite3.DatabaseError as error:
        raise CommandError(f"{path} is damaged ({error}): {AFTER_LOSS}") from error


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError("not HOST:PORT")
    return host.strip("[]"), int(port)


def _log_key(text: str) -> VerifierKey:
    try:
        key = parse_key(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if key.kind != ED25519:
        raise argparse.ArgumentTypeError("the key of a witness, not of a log")
    return key


def _stop(*_: object) -> None:
    raise SystemExit(0)
