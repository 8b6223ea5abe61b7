"""Accounts for benchmarks, many at once: `python -m tests.bench.people N` in a server's environment.

Prints one JSON line an account: e-mail and TOTP secret. All have one password, hashed once.
"""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass

from tests.authenticator import Authenticator
from tests.client import PASSWORD, new_email
from tests.server import ROOT, Server


@dataclass(frozen=True)
class Account:
    """Who can log in with both steps."""

    email: str
    authenticator: Authenticator


def create_accounts(server: Server, count: int) -> list[Account]:
    """New accounts with a confirmed authenticator each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.people", str(count)],
        cwd=ROOT,
        env=server.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    return [Account(email, Authenticator(secret)) for email, secret in lines]


def insert(count: int) -> None:
    """Inside Django."""
    from django.utils import timezone

    from mfa.models import TotpAuthenticator
    from secure_auth import addresses, factors, passwords
    from secure_auth.models import User

    now, encoded = timezone.now(), passwords.hash_password(PASSWORD)
    users, authenticators = [], []
    for _ in range(count):
        email, secret = new_email(), os.urandom(20)
        key = addresses.identify(email).key
        users.append(
            User(email=email, email_key=key, password=encoded, mailbox_proved_at=now, had_second_factor=True)
        )
        bound = TotpAuthenticator(user=users[-1], confirmed_at=now)
        factors.seal_totp(bound, secret)
        authenticators.append(bound)
        print(json.dumps([email, base64.b32encode(secret).decode()]))
    User.objects.bulk_create(users)
    TotpAuthenticator.objects.bulk_create(authenticators)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")
    django.setup()
    insert(int(sys.argv[1]))
