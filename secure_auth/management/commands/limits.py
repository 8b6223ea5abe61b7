"""manage.py limits show EMAIL|IP."""

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from rich.console import Console
from rich.table import Table

from audit.validation import rfc3339
from secure_auth import lockouts
from secure_auth.lockouts import Standing
from secure_auth.management.operator import ReadingCommand
from throttling import inspection

COLUMNS = ("limit", "counted for", "key", "used", "in flight", "locked until", "level")


class Command(ReadingCommand):
    """Show how the limits stand."""

    help = (
        "Show every limit that counts something for an account, known or not, or for a source (of IPv6 its /64 and "
        "/48). It only looks: nothing is counted, changed or recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """show EMAIL|IP [--json]."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="show")
        show = actions.add_parser("show", help="how the limits stand for one account or source")
        show.add_argument(
            "target", metavar="EMAIL|IP", help="an e-mail address, an IP address or an IPv6 /64"
        )
        show.add_argument("--json", action="store_true", help="for programs: one JSON object")

    def read(self, **options: Any) -> None:
        """As JSON, as a table on a terminal, or as aligned text."""
        found = lockouts.show(options["target"])
        if settings.REDIS_URL and not inspection.is_redis_up():
            self.stderr.write("Redis is away: what it counted is not shown.")
        if options["json"]:
            self.stdout.write(json.dumps({"results": [_document(one) for one in found]}))
        elif not found:
            self.stdout.write("nothing is counted")
        elif self.stdout.isatty():
            self._draw([_cells(one) for one in found])
        else:
            self._align([COLUMNS, *(_cells(one) for one in found)])

    def _draw(self, rows: list[tuple[str, ...]]) -> None:
        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*row, style="red" if row[COLUMNS.index("locked until")] else "")
        console = Console(markup=False, highlight=False)
        with console.capture() as drawn:
            console.print(table)
        self.stdout.write(drawn.get(), ending="")

    def _align(self, rows: list[tuple[str, ...]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _cells(one: Standing) -> tuple[str, ...]:
    until = f"{one.locked_until:%Y-%m-%d %H:%M:%SZ}" if one.locked_until else ""
    return (
        one.limit,
        one.kind,
        one.key,
        f"{one.used}/{one.allowed}",
        str(one.in_flight),
        until or ("cleared" if one.stays_closed else ""),
        str(one.level),
    )


def _document(one: Standing) -> dict[str, Any]:
    until = rfc3339(one.locked_until) if one.locked_until else None
    return {**asdict(one), "locked_until": until}
