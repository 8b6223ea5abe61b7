"""A production installation starts only when every setting that it needs is there and strong."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run_forked
from tests.server import LIBRARIES, ROOT

PRODUCTION = {
    "ORIGIN": "https://auth.example.com",
    "MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
    "DATABASE_URL": "postgres://secure_auth:secret@database.example.com/secure_auth",
    "EMAIL_URL": "smtps://secure_auth:secret@mail.example.com",
    "WEBHOOK_URL": "https://siem.example.com/hooks/auth",
    "WEBHOOK_SECRET": f"whsec_{base64.b64encode(bytes(range(32))).decode()}",
}
WRONG = [
    ("MASTER_KEY", ""),
    ("MASTER_KEY", "secret"),
    ("MASTER_KEY", base64.b64encode(bytes(32)).decode()),
    ("MASTER_KEY", base64.b64encode(bytes(range(31))).decode()),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "sqlite:///secure_auth.sqlite3"),
    ("EMAIL_URL", ""),
    ("EMAIL_URL", "https://mail.example.com"),
    ("EMAIL_URL", "smtp://user:secret@mail.example.com"),
    ("EMAIL_URL", "postmark://secret"),
    ("EMAIL_URL", "postmark://secret@?api_url=http://mail.example.com"),
    ("EMAIL_URL", "postmark://secret@?api_url=https://[::1"),
    ("EMAIL_URL", "postmark://secret@?api_url=https://mail.example.com:99999"),
    ("EMAIL_URL", "mailgun://secret@"),
    ("EMAIL_REPLY_TO", "help"),
    ("HOST", "[::1]"),
    ("HOST", "localhost\n127.0.0.1"),
    ("TOKEN_ISSUER", "not UTF-8: \udcff"),
    ("MAIL_TEMPLATES_DIR", "/nowhere/at/all"),
    ("MAIL_TEMPLATES_DIR", "a" * 300),
    ("RESET_MFA_DELAY_SECONDS", "a week"),
    ("ORIGIN", "http://auth.example.com"),
    ("ORIGIN", "auth.example.com"),
    ("ORIGIN", "https://auth.example.com/path"),
    ("TRUSTED_PROXIES", "everybody"),
    ("WITNESSES", "witness.example.org https://witness.example.org"),
    (
        "WITNESSES",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k https://w.example.org",
    ),
    ("WITNESSES", "https://witness.example.org"),
    ("AUDIT_RETENTION_DAYS", "a year"),
    ("CHECKPOINT_COMMAND", "tee 'open"),
    ("DATA_DIR", "~nobody-of-this-name/secure-auth"),
    ("PORT", "http"),
    ("ACCESS_TOKEN_SECONDS", "86400"),
    ("PASSWORD_MIN_LENGTH", "4"),
    ("BREACHED_PASSWORDS", "on"),
    ("BREACHED_PASSWORDS", "/nowhere/to/be/found"),
    ("BREACHED_PASSWORDS", str(ROOT / "LICENSE")),
    ("BREACHED_PASSWORDS", str(ROOT)),
    ("BREACHED_PASSWORDS_URL", "http://ranges.example.com/"),
    ("BREACHED_PASSWORDS_URL", "https://user:secret@ranges.example.com/"),
    ("REGISTRATION", "sometimes"),
    ("INVITATION_HOURS", "0"),
    ("SESSION_IDLE_SECONDS", "90000"),
    ("CONSOLE_IDLE_SECONDS", "0"),
    ("SIGNING_ALGORITHM", "HS256"),
    ("TOTP_ALGORITHM", "MD5"),
    ("TOTP_ALGORITHM", "sha1"),
    ("TOTP_DIGITS", "7"),
    ("TOTP_DIGITS", "9"),
    ("LIMIT_PASSWORD_SOURCE", "none"),
    ("LIMIT_UNHEARD_OF", "5"),
    ("REDIS_URL", "http://cache.example.com"),
    ("TRUSTED_PROXIES", "0.0.0.0/0"),
    ("ALLOWED_HOSTS", "*"),
    ("CORS_ORIGINS", "https://app.example.com http://app.example.com"),
    ("LOG_LEVEL", "SILLY"),
    ("PRODUCT_NAME", "Acme: login"),
    ("PRODUCT_NAME", "Acme\nlogin"),
    ("PRODUCT_NAME", "A" * 65),
    ("ARGON2_MEMORY_KIB", "8192"),
    ("ARGON2_TIME_COST", "1"),
    ("SECURITY_CONTACT", "somebody"),
    ("WEBAUTHN_RP_ID", "example.org"),
    ("WEBAUTHN_RP_ID", "com"),
    ("WEBAUTHN_RP_ID", "https://auth.example.com"),
    ("WEBAUTHN_RP_ID", "uth.example.com"),
    ("WEBAUTHN_RELATED_ORIGINS", "http://app.example.com"),
    ("WEBAUTHN_RELATED_ORIGINS", "https://app.example.com/path"),
    ("WEBAUTHN_USER_VERIFICATION", "maybe"),
    ("WEBAUTHN_ATTESTATION", "enterprise"),
    ("METRICS_TOKEN", "fifteen-letters"),
    ("METRICS_TOKEN", "sixteen letters and blanks"),
    ("METRICS_TOKEN", "sechzehn-zeichen-ü"),
    ("WEBHOOK_URL", "http://siem.example.com/hook"),
    ("WEBHOOK_URL", "https://user:secret@siem.example.com/"),
    ("WEBHOOK_SECRET", ""),
    ("WEBHOOK_SECRET", "whsec_c2hvcnQ="),
    ("WEBHOOK_SECRET", "bm8gcHJlZml4IGJ1dCBsb25nIGVub3VnaCwgaW5kZWVk"),
]


def own(directory: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "DATA_DIR": str(directory / "data"), "PYTHONWARNINGS": "error"}


def manage(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=own(directory) | {name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_deploy_is_clean_in_production(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "DEBUG", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: value or "unset")
@pytest.mark.parametrize("command", ["serve", "check"])
def test_wrong_setting_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, command: str, name: str, value: str
) -> None:
    variables = own(tmp_path) | PRODUCTION | {name: value}
    done = run_forked(
        LIBRARIES, [command], environment={name: value for name, value in variables.items() if value}
    )
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(name), lines
    if name in ("MASTER_KEY", "DATABASE_URL", "EMAIL_URL", "METRICS_TOKEN", "WEBHOOK_SECRET") and value:
        assert value not in done.stderr


def test_no_migration_is_missing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout
