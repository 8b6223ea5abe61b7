"""Where a word may be found: for each block of BLOCK events, the groups of three letters (grams) that occur in it.

A search for a rare word reads the few blocks that hold all its grams instead of the whole log; what it finds there is
judged as anywhere, so the index leaves nothing out and adds nothing. On PostgreSQL only. Appending never waits for it:
whoever leads the background work makes a block SETTLE_SECONDS after its last event.

A block covers the ids from `first` to before `beyond`, without gaps between blocks. Its grams are forgotten, and made
anew, when personal data in it is erased (a trigger, in the transaction of the erasure), or when an event appears
behind the last block: ids do not follow commits. A block without grams is searched by every search.

Grams are of ASCII letters without regard to case. Left out are those that ids and addresses are made of: `0`-`9`,
`a`-`f` and `.:-`; whoever looks for such a value has a filter for it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from audit import clocks
from audit.filters import id_prefix
from audit.integrate import end_when_stopped
from audit.queries import LOG_SHIFT, WITH_PERSONAL, behind
from audit.words import searched

BLOCK: Final = 64
BLOCKS_AT_ONCE: Final = 64
SETTLE_SECONDS: Final = 10
ENTRIES_AT_ONCE: Final = 5_000
_ID_LETTERS: Final = frozenset("0123456789abcdef.:-")
_ID: Final = re.compile("[0-9a-f.:-]*")
_ASCII: Final = re.compile("[!-~]{3,}")
# Blocks over what has settled meanwhile are added by and by: a search reads what is in none.
BEHIND: Final = (
    f"({behind('(SELECT position FROM audit_rollupmark WHERE id = 2)')})"  # noqa: S608 constants
    " UNION ALL (SELECT 1 FROM audit_textblock WHERE grams IS NULL LIMIT 1) LIMIT 1"
)
Range = tuple[str, str]


def is_available() -> bool:
    """Whether this database has the index."""
    return connection.vendor == "postgresql"


def grams_of(words: Iterable[str]) -> set[int]:
    """The grams of words, each a number below 2**21."""
    found: set[int] = set()
    for word in words:
        for run in _ASCII.findall(word.lower()):
            if _ID.fullmatch(run):
                continue
            for a, b, c in zip(run, run[1:], run[2:], strict=False):
                if not (a in _ID_LETTERS and b in _ID_LETTERS and c in _ID_LETTERS):
                    found.add(ord(a) << 14 | ord(b) << 7 | ord(c))
    return found


def frontier() -> str:
    """The id before which all is in blocks; empty where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT beyond FROM audit_textblock ORDER BY first DESC LIMIT 1")
        row = cursor.fetchone()
    return row[0] if row else ""


def find_blocks(grams: Sequence[int], before: str, limit: int) -> list[Range]:
    """The last blocks that begin before an id and may hold all grams, newest first."""
    part = "(SELECT first, beyond FROM audit_textblock WHERE {} AND first < %s ORDER BY first DESC LIMIT %s)"
    known, unknown = part.format("grams @> %s::int[]"), part.format("grams IS NULL")
    with connection.cursor() as cursor:
        cursor.execute(
            f"{known} UNION ALL {unknown} ORDER BY first DESC LIMIT %s",
            [list(grams), before, limit, before, limit, limit],
        )
        return [(first, beyond) for first, beyond in cursor.fetchall()]


def advance() -> int:
    """Bring the index up to date, a step at a time; how many steps were done. For the worker."""
    if not is_available():
        return 0
    return _doubt_late() + _add_blocks() + _fill_blocks()


def _doubt_late() -> int:
    """Forget the grams of blocks in which an event appeared after they were made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM audit_rollupmark WHERE id = 2")
        row = cursor.fetchone()
        before = row[0] if row else -1
        cursor.execute(
            'SELECT log, "index", event FROM audit_entry WHERE (log, "index") > (%s, %s)'
            ' ORDER BY log, "index" LIMIT %s',
            [*divmod(before, LOG_SHIFT), ENTRIES_AT_ONCE],
        )
        entries = cursor.fetchall()
        if not entries:
            return 0
        end = frontier()
        late = [event for _, _, event in entries if event < end]
        after = entries[-1][0] * LOG_SHIFT + entries[-1][1]
        with transaction.atomic():
            end_when_stopped()
            cursor.execute(
                """UPDATE audit_textblock SET grams = NULL WHERE grams IS NOT NULL AND first IN (
                       SELECT (SELECT max(first) FROM audit_textblock WHERE first <= late.event)
                         FROM unnest(%s::text[]) AS late (event))""",
                [late],
            )
            cursor.execute(
                """INSERT INTO audit_rollupmark (id, position) VALUES (2, %s)
                   ON CONFLICT (id) DO UPDATE SET position = excluded.position""",
                [after],
            )
    return len(entries)


def _add_blocks() -> int:
    """Blocks, still without grams, over events that are old enough."""
    settled = id_prefix(int((clocks.earlier_now().timestamp() - SETTLE_SECONDS) * 1000))
    begin = frontier()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM audit_event WHERE id >= %s AND id < %s ORDER BY id LIMIT %s",
            [begin, settled, BLOCK * BLOCKS_AT_ONCE + 1],
        )
        ids = [begin, *(row[0] for row in cursor.fetchall()[1:])]
        blocks = [(ids[at], ids[at + BLOCK]) for at in range(0, len(ids) - BLOCK, BLOCK)]
        cursor.executemany(
            "INSERT INTO audit_textblock (first, beyond) VALUES (%s, %s) ON CONFLICT DO NOTHING", blocks
        )
    return len(blocks)


def _fill_blocks() -> int:
    """Give grams to blocks that have none.

    The block and its personal data are locked meanwhile: whoever erases some of it comes before, and it is not read, or
    after, and forgets the grams again. Who is stopped meanwhile holds no erasure up for long.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        end_when_stopped()
        cursor.execute(
            """SELECT first, beyond FROM audit_textblock WHERE grams IS NULL ORDER BY first DESC LIMIT %s
               FOR UPDATE SKIP LOCKED""",
            [BLOCKS_AT_ONCE],
        )
        blocks = sorted(cursor.fetchall())
        for run in _adjoining(blocks):
            words = _words_of(cursor, run)
            cursor.executemany(
                "UPDATE audit_textblock SET grams = %s::int[] WHERE first = %s",
                [(sorted(grams_of(words[first])), first) for first, _ in run],
            )
    return len(blocks)


def _adjoining(blocks: Sequence[Range]) -> list[list[Range]]:
    """Blocks in order, those that follow each other without a gap together."""
    runs: list[list[Range]] = []
    for block in blocks:
        if runs and runs[-1][-1][1] == block[0]:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs


def _words_of(cursor: CursorWrapper, run: Sequence[Range]) -> dict[str, set[str]]:
    """All words of each of adjoining blocks, by its first id; the personal data is locked before it is read."""
    bounds = [run[0][0], run[-1][1]]
    cursor.execute("SELECT event FROM audit_personaldata WHERE event >= %s AND event < %s FOR SHARE", bounds)
    cursor.execute(
        f"SELECT e.id, {searched()} FROM audit_event e {WITH_PERSONAL} WHERE e.id >= %s AND e.id < %s",  # noqa: S608 constants
        bounds,
    )
    firsts = [first for first, _ in run]
    words: dict[str, set[str]] = {first: set() for first in firsts}
    for event, text in cursor.fetchall():
        words[firsts[bisect_right(firsts, event) - 1]].update(text.split())
    return words
