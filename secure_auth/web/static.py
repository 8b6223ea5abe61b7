"""Static files under names that tell their content, so that a browser keeps them for a year and never an old one.

`pages.css` is asked for as `pages.0123456789ab.css`. Files are read where they stand in the code: there is no step of
collecting them that an installation could forget.
"""

import hashlib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

DIGITS = 12


def named_by_content(name: str, path: str) -> str:
    """The name of a file, with the beginning of its SHA-256 before the last suffix."""
    posix = PurePosixPath(name)
    return str(posix.with_name(f"{posix.stem}.{_digest(path)}{posix.suffix}"))


@cache
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:DIGITS]


class NamedByContent(StaticFilesStorage):
    """What `{% static %}` writes."""

    def url(self, name: str | None) -> str:
        """The address that tells the content; a file that is missing is a mistake in a template."""
        found = finders.find(name or "")
        if not found:
            raise ValueError(f"there is no static file {name}")
        return super().url(named_by_content(str(name), str(found)))


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, that also serves each file under the name that tells its content, for ever; whole files only."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        """The whole file, whatever range is asked for (RFC 9110 section 14.2 leaves that to us).

        What WhiteNoise gives for a range is no file to the web server: it would hold a thread until it is read.
        """
        request.META.pop("HTTP_RANGE", None)
        answer: HttpResponseBase = WhiteNoiseMiddleware.serve(static_file, request)
        return answer

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        """Add a file under its name, and under the one that tells its content."""
        super().add_file_to_dictionary(url, path, stat_cache=stat_cache)
        super().add_file_to_dictionary(named_by_content(url, path), path, stat_cache=stat_cache)

    def immutable_file_test(self, path: str, url: str) -> bool:
        """Whether this is the name that tells the content."""
        return f".{_digest(path)}." in url
