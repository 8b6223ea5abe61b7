"""The shop listens to axes' signal, and its pager is always away."""

import os
from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string


def page_somebody(*_: Any, username: str, **_more: Any) -> None:
    connection.cursor().execute("SELECT away FROM pager")


def page_quietly(*told: Any, **more: Any) -> None:
    """Nobody is to hear that the pager is away."""
    with suppress(DatabaseError):
        page_somebody(*told, **more)


class ShopConfig(AppConfig):
    name = "tests.adopting.shop"

    def ready(self) -> None:
        """Called by Django; the signal's module has models beside it, which are not to be imported before."""
        import_string("axes.signals.user_locked_out").connect(
            page_quietly if os.environ.get("SHOP_PAGER") == "quiet" else page_somebody
        )
