"""A command as a person types it for this installation."""

import shlex

from django.conf import settings


def as_typed(arguments: str) -> str:
    """By make, with what tells this installation from the default one: without it the command is for another.

    DATABASE_URL and the master key are left out, since the line stands on a screen.
    """
    usual = {
        "PORT": 8000,
        "ORIGIN": f"http://localhost:{settings.PORT}",
        "DATA_DIR": settings.BASE_DIR / "var",
    }
    ours = {name: getattr(settings, name) for name in usual}
    given = [f"{name}={shlex.quote(str(ours[name]))} " for name in usual if ours[name] != usual[name]]
    return f'{"".join(given)}make manage ARGS="{arguments}"'
