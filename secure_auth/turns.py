"""Whose turn it is to compute, as the code that serves a request sees it: it may give its own away."""

import threading
from collections.abc import Callable


class _Turn(threading.local):
    give: Callable[[], None] | None = None


_turn = _Turn()


def take_turns(give: Callable[[], None]) -> None:
    """Called by a thread that serves requests in turn: what to call when one gives its turn away."""
    _turn.give = give


def step_aside() -> None:
    """Let another request begin: this one is about to wait, or to compute outside Python. Nothing in other threads."""
    if _turn.give is not None:
        _turn.give()
