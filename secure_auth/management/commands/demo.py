"""manage.py demo."""

import contextlib
import secrets
import sys
from collections.abc import Iterator
from typing import Any

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import Error

from audit.events import SYSTEM
from secure_auth import administration, keys, logging_config, startup
from secure_auth.acting import Actor, Refused
from secure_auth.demo.client import Stopped, no_answer, server_url
from secure_auth.demo.evidence import show_evidence
from secure_auth.demo.journey import Journey, Person
from secure_auth.demo.stage import Stage
from secure_auth.errors import Problem
from secure_auth.management.line import LineCommand
from secure_auth.management.typed import as_typed


class Command(LineCommand):
    """Show the service at work."""

    help = (
        "Drive the whole journey against the running service and show each step: register, confirm, enrol, sign in "
        "in two steps, refresh, a stolen token, a guessed password, and the audit trail of it all. "
        "Start the service first (make run); this finds it by PORT. Run it with the service's own environment. "
        "It takes a few seconds, makes two accounts with random names and disables them at the end. "
        "Five runs an hour fit into the default limits."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell the story; what stops it is one line and a non-zero status."""
        # The screen belongs to the story; the few events of this process are in the database like all others.
        logging_config.configure({"level": "WARNING"})
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        try:
            self._tell()
        except (Stopped, Refused) as error:
            raise CommandError(str(error)) from error
        except Problem as problem:
            raise CommandError(f"The service is busy ({problem}): run this again in a moment.") from problem
        except KeyboardInterrupt:
            raise CommandError("Stopped.") from None

    def _tell(self) -> None:
        find_service()
        run = secrets.token_hex(4)
        stage = Stage()
        stage.open(settings.ORIGIN)
        journey, auditor = Journey(run, stage), Person(f"auditor-{run}@example.org")
        with disabled_at_the_end(journey.ada, auditor):
            journey.sign_up()
            journey.sign_in()
            journey.lose_token()
            journey.be_guessed()
            show_evidence(auditor, run, stage)
        stage.close(
            [
                ("API", f"{settings.ORIGIN}/api/docs/"),
                ("Your account", as_typed("create_user you@example.org")),
                ("Clean", "both accounts of this demo are disabled now; the log keeps its events"),
            ]
        )


def find_service() -> None:
    """Make sure that the service answers, and that it is the one of these settings.

    Raises:
        Stopped: it is not.
    """
    try:
        served = httpx.get(
            f"{server_url()}/.well-known/jwks.json",
            headers={"Host": settings.ORIGIN.partition("://")[2]},
            timeout=10,
            trust_env=False,
        ).json()
        kids = {key["kid"] for key in served["keys"]}
    except httpx.HTTPError as error:
        raise no_answer() from error
    except (ValueError, TypeError, LookupError) as error:
        raise Stopped(
            f"What answers at {server_url()} is not this service: set PORT to where it runs."
        ) from error
    try:
        ours = {key["kid"] for key in keys.jwks()["keys"]} if startup.is_begun() else set()
    except (Error, ImproperlyConfigured):
        ours = set()
    if not ours & kids:
        raise Stopped(
            f"The service at {server_url()} runs with another database or DATA_DIR than this command: "
            "give both the same environment."
        )
    startup.prepare()


@contextlib.contextmanager
def disabled_at_the_end(*people: Person) -> Iterator[None]:
    """Leave no account behind that works, however the story ends."""
    try:
        yield
    finally:
        for person in people:
            with contextlib.suppress(Refused):
                user = administration.find_user(person.email)
                administration.disable(user=user, actor=Actor(source=SYSTEM, reason="demo is over"))
