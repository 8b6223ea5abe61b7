"""What the console's templates say of values: short ids, and links that narrow a list by one more value."""

from typing import Any
from urllib.parse import urlencode

from django import template

register = template.Library()
SHOWN = 8


@register.filter
def shortened(value: str) -> str:
    """The end of an id, which differs where the beginning is a time."""
    return f"…{value[-SHOWN:]}" if value and len(value) > SHOWN + 4 else value or ""


@register.simple_tag(takes_context=True)
def narrow(context: Any, name: str, value: str) -> str:
    """The query of the list with one filter more, without its cursor; escaped where it is written."""
    return urlencode({**(context.get("filters") or {}), name: value or ""})
