"""What the templates of the pages need beside Django's own tags."""

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from secure_auth.inventory import Held
from secure_auth.web import words
from secure_auth.web.activity import describe_device

register = template.Library()

register.filter("device", describe_device)
register.filter("kind", words.describe_kind)


@register.filter
def authenticator(held: Held) -> str:
    """What an authenticator is called, by its owner or for want of that by its kind."""
    return held.name or words.describe_kind(held.type)


@register.filter
def moment(value: datetime) -> SafeString:
    """A time in UTC, for people and for programs; a script shows it in the person's own zone."""
    utc = value.astimezone(UTC)
    words = f"{date_format(utc, 'DATE_FORMAT')}, {utc:%H:%M} UTC"
    return format_html('<time datetime="{}">{}</time>', f"{utc:%Y-%m-%dT%H:%M:%SZ}", words)
