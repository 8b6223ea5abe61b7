"""Django with a private data directory, for tests that run code of the service in their own process.

Import this module before any of that code.
"""

import os
import tempfile

import django
from django.apps import apps

from tests import scratch

if not apps.ready:
    before = os.environ.get("DATA_DIR")
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="data-", dir=scratch.directory())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")
    django.setup()
    os.environ.pop("DATA_DIR")
    if before is not None:
        os.environ["DATA_DIR"] = before
