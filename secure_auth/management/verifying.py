"""What the commands that judge share: lines as they come, a bar on a terminal, the verdict as the last line."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audit.verify.faults import Bad
from secure_auth.administration import Refused

Judge = Callable[[Callable[[str], None], Callable[[int, int], None]], str]


class VerifyingCommand(BaseCommand):
    """A command that ends with `ok: …` and status 0, or with `BAD: …` and status 1."""

    requires_system_checks: list[str] = []

    def show_verdict(self, judge: Judge) -> None:
        """Run what judges, and show what it says."""
        try:
            with self._progress() as progress:
                bar = progress.add_task("reading the log", total=None)

                def advance(done: int, total: int) -> None:
                    progress.update(bar, completed=done, total=total, refresh=True)

                verdict = judge(self.stdout.write, advance)
        except Bad as fault:
            self.stdout.write(f"BAD: {fault}")
            raise SystemExit(1) from None
        except (Refused, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(verdict)

    def _progress(self) -> Progress:
        """A bar on standard error, where that is a terminal. Drawn when something happens: no thread of its own."""
        console: Any = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
