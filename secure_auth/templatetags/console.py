"""What the console's templates say of values."""

from django import template

register = template.Library()
SHOWN = 8


@register.filter
def shortened(value: str) -> str:
    """The end of an id, which differs where the beginning is a time."""
    return f"…{value[-SHOWN:]}" if value and len(value) > SHOWN + 4 else value or ""
