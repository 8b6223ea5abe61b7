"""What is over goes in small transactions: who signs in meanwhile waits for one of them at most."""

import json
from itertools import groupby
from pathlib import Path

import pytest

from tests.server import running_server

OVER = 450
ASK = """
from datetime import timedelta
from django.utils import timezone
from secure_auth.models import MailToken, Registration
past = timezone.now() - timedelta(days=400)
some = [Registration(email=f"{{n}}@example.org", email_key=f"{{n}}@example.org") for n in range({over} + 1)]
Registration.objects.bulk_create(some)
Registration.objects.exclude(pk=some[-1].pk).update(created_at=past)
live = timezone.now() + timedelta(days=400)
MailToken.objects.bulk_create(
    MailToken(purpose="confirm", key_id="none", registration=one, expires_at=live) for one in some
)
"""
PRUNE = """
import json
from django.db import connection
from django.test.utils import CaptureQueriesContext
from secure_auth import worker
with CaptureQueriesContext(connection) as seen:
    worker.prune()
print(json.dumps([one["sql"] for one in seen]))
"""
LEFT = "SELECT (SELECT count(*) FROM secure_auth_registration), (SELECT count(*) FROM secure_auth_mailtoken)"
DELETED_AT_ONCE = 100  # by Django, whatever the transaction


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_many_at_once_are_deleted_by_few(backend: str, tmp_path: Path) -> None:
    with running_server(backend, tmp_path, worker=False) as server:
        server.manage("shell", "--no-imports", "-c", ASK.format(over=OVER))
        done = server.manage("shell", "--no-imports", "-c", PRUNE)
        statements = json.loads(done.stdout.splitlines()[-1])
        assert server.rows(LEFT) == [(1, 1)]
    of_each = [
        sum('DELETE FROM "secure_auth_registration"' in one for one in group)
        for is_end, group in groupby(statements, "COMMIT".__eq__)
        if not is_end
    ]
    assert max(of_each) == 200 // DELETED_AT_ONCE
    assert sum(of_each) == 5
