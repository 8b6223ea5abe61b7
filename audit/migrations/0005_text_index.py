"""The text index of PostgreSQL (see audit/textindex.py), and the index of a pair of filters."""

from django.db import migrations, models
from django.db.models import F

CREATE = """
CREATE TABLE audit_textblock (
    first character varying(36) COLLATE "C" PRIMARY KEY,
    beyond character varying(36) COLLATE "C" NOT NULL,
    grams integer[]
);
CREATE INDEX audit_textblock_grams ON audit_textblock USING gin (grams) WITH (fastupdate = off);
CREATE INDEX audit_textblock_unknown ON audit_textblock (first) WHERE grams IS NULL;
CREATE FUNCTION audit_forget_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE audit_textblock SET grams = NULL
     WHERE first = (SELECT max(first) FROM audit_textblock WHERE first <= OLD.event) AND grams IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_personaldata_forget AFTER DELETE ON audit_personaldata
    FOR EACH ROW EXECUTE FUNCTION audit_forget_text();
"""
DROP = """
DROP TRIGGER audit_personaldata_forget ON audit_personaldata;
DROP FUNCTION audit_forget_text();
DROP TABLE audit_textblock;
"""


def _create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def _drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_rollup")]
    operations = [
        migrations.AddIndex(
            "event", models.Index(F("type"), F("outcome"), F("id").desc(), name="audit_id_type_outcome")
        ),
        migrations.RunPython(_create, _drop),
    ]
