"""CPU time of processes, read from /proc: it does not depend on what else runs on the machine as wall time does."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """A process and everything below it."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    below = [int(child) for listing in children for child in listing.read_text().split()]
    return [pid, *(found for child in below for found in descendants(child))]


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that these processes took so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS
