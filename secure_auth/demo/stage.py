"""How the journey looks: chapters, steps, requests with their answers, and the audit trail as a table.

Nothing secret reaches the screen: values are shown by a list of names that are safe, all others are cut or hidden.
"""

import re
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from secure_auth.demo.client import Answer, waiting_time

WIDTH = 80
CUT = frozenset({"partial_token", "access", "refresh", "device_token", "bearer", "token", "session_id"})
HIDDEN = frozenset({"password", "secret", "code"})
KEPT_CHARACTERS = 6
IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SEVERITY = {"medium": "yellow", "high": "bold red", "critical": "bold red"}


class Stage:
    """Everything that is printed."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=False)
        self.console.width = min(self.console.width, WIDTH)
        self.steps = 0

    def open(self, origin: str) -> None:
        """The title."""
        text = Text.assemble(
            ("Secure Auth, the whole journey\n", "bold"),
            f"Everything below happens now, over HTTP, on {origin}.\n",
            ("→", "cyan"),
            " is what a client sends, ",
            ("←", "green"),
            " what the service answers. Secrets are cut.",
        )
        self.console.print(Panel(text, border_style="cyan", box=box.ROUNDED))

    def chapter(self, title: str) -> None:
        """A new part of the story."""
        self.console.print()
        self.console.print(Rule(f"[bold cyan]{escape(title)}[/]", align="left", style="cyan"))

    def step(self, title: str, why: str) -> None:
        """What happens next and why it matters."""
        self.steps += 1
        self.console.print()
        self.console.print(f"[bold]{self.steps:>2}  {escape(title)}[/]")
        self._indented(f"[dim]{escape(why)}[/]")

    def exchange(self, method: str, path: str, sent: dict[str, Any], answer: Answer) -> None:
        """A request and the important part of its answer."""
        self._arrow("→", "cyan", f"{method} {IDS.sub(lambda found: cut(found[0]), path)}", _shown(sent))
        colour = "green" if answer.status < 400 else "red"
        self._arrow("←", colour, f"{answer.status} {answer.phrase}", _important(answer))

    def notice(self, text: str) -> None:
        """Something that the story does not need, but its reader."""
        self._indented(f"[yellow]{escape(text)}[/]")

    def result(self, text: str) -> None:
        """What the reader should take along."""
        self._indented(f"[green]✓[/] {escape(text)}")

    def trail(self, events: list[dict[str, Any]]) -> None:
        """The audit trail, oldest first."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for heading in ("time", "who", "event", "", "why", "severity"):
            table.add_column(heading, no_wrap=True)
        for event in events:
            style = SEVERITY.get(event["severity"], "")
            good = event["outcome"] == "success"
            mark = Text("ok" if good else "no", style="green" if good else "red")
            who = event["source"]["user_agent"].rpartition(" ")[2]
            severity = Text(event["severity"], style=style)
            table.add_row(event["time"][11:19], who, event["type"], mark, event["reason"], severity)
        self.console.print(Padding(table, (1, 0, 0, 1)))

    def close(self, lines: list[tuple[str, str]]) -> None:
        """Where to go from here."""
        grid = Table.grid(padding=(0, 2))
        for label, text in lines:
            grid.add_row(f"[bold]{escape(label)}[/]", escape(text))
        self.console.print()
        self.console.print(
            Panel(grid, border_style="green", box=box.ROUNDED, title="Done", title_align="left")
        )

    def _indented(self, markup: str) -> None:
        self.console.print(Padding(markup, (0, 0, 0, 4)))

    def _arrow(self, arrow: str, colour: str, head: str, rest: str) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column()
        grid.add_row(Text(arrow, style=colour), Text.assemble((head, colour), "  ", rest))
        self.console.print(Padding(grid, (0, 0, 0, 4)))


def cut(token: str) -> str:
    """Enough of a token to tell two apart: its end, since all begin alike."""
    return f"…{token[-KEPT_CHARACTERS:]}"


def _shown(sent: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_value(name, value)}" for name, value in sent.items())


def _value(name: str, value: Any) -> str:
    if name in HIDDEN:
        return "••••••"
    if name in CUT:
        return cut(str(value))
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


SHOWN = (
    "next",
    "methods",
    "email",
    "roles",
    "recovery_codes_left",
    "session_id",
    "partial_token",
    "access",
    "refresh",
    "device_token",
    "secret",
)


def _important(answer: Answer) -> str:
    """What of an answer carries the story."""
    if answer.code:
        wait = f"  again in {waiting_time(answer.retry_after_seconds)}" if answer.retry_after_seconds else ""
        return f"{answer.code}{wait}"
    body = answer.body
    parts = {name: body[name] for name in SHOWN if body.get(name) is not None}
    if body.get("recovery_codes"):
        parts["recovery_codes"] = f"{len(body['recovery_codes'])} of them"
    if "results" in body:
        parts["results"] = f"{len(body['results'])} events"
    return _shown(parts)
