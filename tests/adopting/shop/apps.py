"""The shop listens to axes' signal, and its pager is always away."""

from typing import Any

from django.apps import AppConfig
from django.db import connection
from django.utils.module_loading import import_string


def page_somebody(*_: Any, username: str, **_more: Any) -> None:
    connection.cursor().execute("SELECT away FROM pager")


class ShopConfig(AppConfig):
    name = "tests.adopting.shop"

    def ready(self) -> None:
        """Called by Django; the signal's module has models beside it, which are not to be imported before."""
        import_string("axes.signals.user_locked_out").connect(page_somebody)
