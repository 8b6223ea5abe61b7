"""What the commands that judge share: lines as they come, a bar on a terminal, the verdict as the last line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audit.verify.faults import Bad
from secure_auth.acting import Refused
from secure_auth.management.line import LineCommand

Advance = Callable[[int, int], None]  # so many entries of so many
BAD, UNJUDGED = 1, 2
Judge = Callable[[Callable[[str], None], Advance], str]


class VerifyingCommand(LineCommand):
    """A command that ends with `ok: …` and status 0, with `BAD: …` and BAD, or without a verdict and UNJUDGED."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """What keeps it from judging accuses nobody."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            error.returncode = UNJUDGED
            raise

    def show_verdict(self, judge: Judge) -> None:
        """Run what judges, and show what it says."""
        try:
            with progress_bar("reading the log") as advance:
                verdict = judge(self.stdout.write, advance)
        except Bad as fault:
            self.stdout.write(f"BAD: {fault}")
            raise SystemExit(BAD) from None
        except (Refused, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(verdict)


@contextmanager
def progress_bar(what: str) -> Iterator[Advance]:
    """A bar on standard error where that is a terminal, else nothing. Drawn as it moves: no thread of its own."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total, refresh=True)
