"""A command whose misuse, and whose trouble with what it needs, is one clear line and a non-zero status.

With --traceback the cause is shown as well.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from secure_auth.errors import first_line
from throttling.reservations import StoreUnavailable

TROUBLE = (Error, StoreUnavailable, OSError, UnicodeError, EOFError)


class LineParser(CommandParser):
    """Django's parser, and those of actions below it, without the usage above the error: --help shows it."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        if not self.called_from_command_line:
            raise CommandError(message)
        self.exit(2, f"{self.prog}: {message}; --help tells more\n")


class Once(argparse._StoreAction):
    """An option of one value that is given twice is refused: nobody knows which of the two was meant."""

    given = False

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Take the value."""
        if self.given and option_string:
            raise argparse.ArgumentError(self, "given twice")
        self.given = True
        super().__call__(parser, namespace, values, option_string)


class LineCommand(BaseCommand):
    """See above."""

    requires_system_checks: list[str] = []
    answers: ClassVar[bool] = True  # on standard output; who only serves does without it

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Django's parser, whose class and actions it does not let us choose."""
        parser = super().create_parser(prog_name, subcommand, **options)
        for one in (parser, *_parsers_of_actions(parser)):
            one.__class__ = LineParser
            for action in one._actions:
                if type(action) is argparse._StoreAction:
                    action.__class__ = Once
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Act; a disk that is full, a database that goes away and a reader that has left are no mistake of ours."""
        if self.answers and sys.stdout is None and not options.get("stdout"):
            raise CommandError("standard output is closed: the answer goes there")
        try:
            try:
                done = super().execute(*args, **options)
            except SystemExit:  # a verdict, which was told
                self.stdout.flush()
                raise
            self.stdout.flush()
        except TROUBLE as error:
            _forget_output()
            raise CommandError(why(error)) from error
        except CommandError:
            _forget_output()  # what was told before
            raise
        return done


@contextmanager
def tidied_when_stopped() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end the block as Ctrl-C does: its drafts are taken away."""

    def stop(number: int, _: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # a second one must not stop the tidying
        raise SystemExit(128 + number)

    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) == signal.SIG_DFL]
    for one in numbers:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in numbers:
            signal.signal(one, signal.SIG_DFL)


def _parsers_of_actions(parser: CommandParser) -> list[CommandParser]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [one for action in found for one in action.choices.values()]


def _forget_output() -> None:
    """What can't be written must not fail once more at the end of the process, in lines of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def why(error: Exception) -> str:
    """What stood in the way, in one line."""
    if isinstance(error, UnicodeError):
        return "what was given is not text in UTF-8"
    if isinstance(error, EOFError):
        return "the answer is missing: standard input is at its end"
    if isinstance(error, OSError):
        what = error.strerror or type(error).__name__
        return f"{what}: {error.filename}" if error.filename else what
    return f"the database is not usable: {first_line(error)}"
