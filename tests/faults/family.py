"""The processes of a running node, as /proc shows them."""

import contextlib
from pathlib import Path

from tests.server import Node


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def web_workers(node: Node) -> list[int]:
    """The processes that answer requests."""
    web = [child for child in children_of(node.process.pid) if name_of(child) == "auth-web"]
    return [worker for child in web for worker in children_of(child)]


def background_workers(node: Node) -> list[int]:
    """The process that integrates, mails and prunes; none while it waits to be started again."""
    return [child for child in children_of(node.process.pid) if name_of(child) == "auth-worker"]
