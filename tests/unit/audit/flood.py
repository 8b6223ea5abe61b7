"""One of several processes that append at once: `python -m tests.unit.audit.flood JSON`.

Prints what it did as JSON: how many events it wrote in full, how many it counted, how long the slowest took.
"""

import json
import random
import sys
import threading
import time
from collections import Counter

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from audit.append import append, append_collapsed  # noqa: E402
from tests.unit.audit.says import failure, limit_hit  # noqa: E402


class Undone(Exception):
    pass


def one(plan: dict, counts: Counter[str], generator: random.Random) -> None:
    undone = generator.random() < plan.get("undone", 0)
    try:
        with transaction.atomic():
            full = append_collapsed(limit_hit(), key=plan["key"], window_seconds=plan["window_seconds"])
            time.sleep(plan.get("hold_seconds", 0))
            if undone:
                raise Undone
    except Undone:
        counts["undone"] += 1
        return
    counts["full" if full else "counted"] += 1


def work(plan: dict, counts: Counter[str], number: int) -> None:
    generator = random.Random(f"{plan.get('seed')} {number}")
    try:
        for _ in range(plan["events"]):
            if plan.get("plain"):
                with transaction.atomic():
                    append(failure())
                counts["full"] += 1
            else:
                one(plan, counts, generator)
    except Exception as error:
        counts[f"error {type(error).__name__}: {error}"] += 1
    finally:
        connection.close()


def main() -> None:
    plan = json.loads(sys.argv[1])
    counts: Counter[str] = Counter()
    started = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(plan, counts, number)) for number in range(plan["threads"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n" + json.dumps({**counts, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
