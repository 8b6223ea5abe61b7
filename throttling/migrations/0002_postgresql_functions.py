"""The limiter's functions on PostgreSQL; other databases run the algorithm in Python."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = Path(__file__).with_name("bucket_functions.sql")
SIGNATURES = (
    "settle(jsonb, text, bigint)", "reserve(jsonb, text, bigint)", "expand(jsonb)", "lock(jsonb)", "wipe(jsonb, bigint)",
    "save(jsonb, jsonb)", "expiry(jsonb, jsonb)", "finish(jsonb, jsonb, bigint, text, bigint, text)",
    "judge(jsonb, jsonb, bigint)", "load(jsonb, bigint)", "fail(jsonb, jsonb, bigint, text)",
    "mark(jsonb, jsonb, bigint, text)", "drop(jsonb, jsonb, bigint)", "used(jsonb)", "now()",
)  # fmt: skip


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTIONS.read_text(encoding="utf-8"), params=None)
        schema_editor.execute("ALTER TABLE throttling_bucket SET (fillfactor = 70)", params=None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for signature in SIGNATURES:
            schema_editor.execute(f"DROP FUNCTION throttling_{signature}", params=None)


class Migration(migrations.Migration):
    dependencies = [("throttling", "0001_initial")]
    operations = [migrations.RunPython(create, remove)]
