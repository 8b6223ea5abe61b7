"""A command as a person types it for this installation."""

import shlex

from django.conf import settings


def as_typed(arguments: str) -> str:
    """By make, with what tells this installation from the default one: without it the command is for another.

    The line stands on a screen, so it holds no secret: of DATABASE_URL only that it is to be filled in. As it stands it
    is refused; left out, the command would begin another installation.
    """
    usual = {
        "PORT": 8000,
        "ORIGIN": f"http://localhost:{settings.PORT}",
        "DATA_DIR": settings.BASE_DIR / "var",
    }
    ours = {name: getattr(settings, name) for name in usual}
    given = [f"{name}={shlex.quote(str(ours[name]))} " for name in usual if ours[name] != usual[name]]
    if settings.DATABASE_URL:
        given.append("DATABASE_URL=... ")
    return f'{"".join(given)}make manage ARGS="{arguments}"'
