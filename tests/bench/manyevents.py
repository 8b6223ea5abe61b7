"""Millions of events in a private PostgreSQL database, made by the database itself: skewed as a real log is.

A few types dominate; accounts, sources and user agents follow a power law; a few events bear a rare word. Ids and times
span thirty days that end now. Commitments and salts have the size of real ones and open nothing: what reads the log
does not look at them. Entries give each event a place in the tree, with hashes that are none.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg

from tests import services
from tests.server import ROOT

SPAN_DAYS = 30
USERS, SOURCES, AGENTS = 200_000, 400_000, 300
BATCH = 500_000

# share of all events, type, share of failures, severity of success and failure
TYPES = (
    (0.42, "token.refresh", 0.0, "info", "low"),
    (0.62, "login.password", 0.35, "info", "low"),
    (0.74, "login.second_factor", 0.05, "info", "medium"),
    (0.85, "session.open", 0.0, "info", "low"),
    (0.91, "token.introspect", 0.1, "info", "low"),
    (0.94, "session.end", 0.0, "info", "low"),
    (0.965, "limit.exceeded", 1.0, "info", "medium"),
    (0.98, "audit.read", 0.02, "info", "low"),
    (0.99, "password.change", 0.2, "low", "medium"),
    (0.995, "account.lock", 0.0, "medium", "low"),
    (0.999, "mfa.totp.confirm", 0.1, "low", "low"),
    (0.9998, "token.reuse", 1.0, "high", "high"),
    (0.99999, "account.disable", 0.0, "medium", "low"),
    (1.0, "log.inconsistent", 1.0, "info", "critical"),
)

FUNCTIONS = """
CREATE FUNCTION made_uuid(seed bigint, salt text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT md5(salt || seed)::uuid::text $$;
CREATE FUNCTION made_id(ms bigint, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(m, 1, 3) || '-8' || substr(m, 4, 3) || '-'
       || substr(m, 7, 12)
  FROM (SELECT lpad(to_hex(ms), 12, '0') AS h, md5('id' || seed) AS m) AS made $$;
"""

FILL = """
WITH raw AS MATERIALIZED (
    SELECT n, random() AS kind, random() AS fails,
           floor(power({users}, random()))::int AS account, random() < 0.85 AS known,
           floor(power({sources}, random()))::int AS place, floor(power({agents}, random()))::int AS agent
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), told AS MATERIALIZED (
    SELECT raw.*, made_id(%(begin)s::bigint + (n * {span} / %(total)s::bigint), n) AS id,
           to_timestamp((%(begin)s::bigint + (n * {span} / %(total)s::bigint)) / 1000.0) AS time,
           CASE {type} END AS type, CASE {failed} END AS failed
      FROM raw
), event AS (
    INSERT INTO audit_event (id, time, type, outcome, reason, severity, session, request_id, details, commitments)
    SELECT id, time, type, CASE WHEN failed THEN 'failure' ELSE 'success' END,
           CASE WHEN failed AND type = 'login.password' THEN 'wrong_password'
                WHEN failed AND type = 'limit.exceeded' THEN 'rate_limited' ELSE '' END,
           CASE {severity} END,
           CASE WHEN known AND NOT failed THEN made_uuid(account * 7 + n / 200000, 'session') ELSE '' END,
           made_uuid(n, 'request'),
           jsonb_build_object('generation', n %% 90, 'jti', substr(md5('jti' || n), 1, 22)),
           jsonb_build_object('ip', encode(sha256(('ip' || n)::bytea), 'base64'),
                              'user', encode(sha256(('us' || n)::bytea), 'base64'),
                              'user_agent', encode(sha256(('ua' || n)::bytea), 'base64'))
      FROM told
), entry AS (
    INSERT INTO audit_entry (log, "index", event, leaf_hash)
    SELECT 1, n, id, sha256(id::bytea) FROM told
)
INSERT INTO audit_personaldata (event, "user", subject, ip, user_agent, foreign_request_id, text, salts)
SELECT id, CASE WHEN known THEN made_uuid(account, 'user') ELSE '' END,
       CASE WHEN known THEN '' ELSE substr(md5('subject' || account), 1, 32) END,
       '10.' || place / 65536 || '.' || place / 256 %% 256 || '.' || place %% 256,
       'Mozilla/5.0 (Device' || agent || '; rv:' || 100 + agent %% 40 || '.0) Gecko/20100101 Browser' || agent,
       '',
       CASE WHEN n %% 1000003 = 77 THEN '{{"note": "the zebra incident"}}'::jsonb
            WHEN n %% 20011 = 5 THEN '{{"note": "reported by the helpdesk"}}'::jsonb
            WHEN n %% 997 = 3 THEN '{{"note": "quarterly review"}}'::jsonb
            ELSE '{{}}'::jsonb END,
       jsonb_build_object('ip', substr(md5('a' || n), 1, 24), 'user', substr(md5('b' || n), 1, 24),
                          'user_agent', substr(md5('c' || n), 1, 24))
  FROM told
"""


def statement() -> bytes:
    """The INSERT of one batch, with the shares filled in."""
    kinds = " ".join(f"WHEN kind < {share} THEN '{name}'" for share, name, *_ in TYPES)
    failed = " ".join(f"WHEN kind < {share} THEN fails < {rate}" for share, _, rate, *_ in TYPES)
    severity = " ".join(
        f"WHEN type = '{name}' THEN CASE WHEN failed THEN '{bad}' ELSE '{good}' END"
        for _, name, _, good, bad in TYPES
    )
    return FILL.format(
        type=f"{kinds} ELSE 'token.refresh'",
        failed=f"{failed} ELSE false",
        severity=severity,
        users=USERS,
        sources=SOURCES,
        agents=AGENTS,
        span=SPAN_DAYS * 86_400_000,
    ).encode()


def migrate(url: str) -> None:
    """The tables of the service."""
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)


def fill_once(url: str, count: int) -> None:
    """Fill an empty log with events of the last SPAN_DAYS; leave one alone that holds as many."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM audit_entry LIMIT %s) AS e", [count]
        ).fetchone()
    if row and row[0] < count:
        fill(url, count, begin_ms=int(time.time() * 1000) - SPAN_DAYS * 86_400_000)


def fill(url: str, count: int, *, begin_ms: int) -> None:
    """Put `count` events into a migrated, empty log; indexes are dropped for as long as it takes."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("synchronous_commit = off", "maintenance_work_mem = '512MB'", "work_mem = '256MB'"):
            connection.execute(f"SET {setting}".encode())
        connection.execute(FUNCTIONS.encode())
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('audit_event', 'audit_personaldata')"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f'DROP INDEX "{name}"'.encode())
        for first in range(0, count, BATCH):
            last = min(first + BATCH, count) - 1
            values = {"first": first, "last": last, "total": count, "begin": begin_ms}
            connection.execute(statement(), values)
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute(
            "INSERT INTO audit_log (id, origin, size, root, started_at)"
            " VALUES (1, 'bench.example/log', %s, sha256('bench'), now())"
            " ON CONFLICT (id) DO NOTHING",
            [count],
        )
        connection.execute(b"VACUUM ANALYZE")


@contextlib.contextmanager
def database(name: str = "") -> Iterator[str]:
    """The URL of a migrated database; a named one is kept for the next time, others are dropped."""
    if not name:
        with services.private_database() as url:
            migrate(url)
            yield url
        return
    with psycopg.connect(services.postgres_url(), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not known:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = urlsplit(services.postgres_url())._replace(path=f"/{name}").geturl()
    migrate(url)
    yield url
