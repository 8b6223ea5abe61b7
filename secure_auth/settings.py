"""The one settings file. Everything that differs between installations comes through env.py, typed and checked.

An ORIGIN that is not a loopback name makes this a production installation: what a production service needs is then
demanded here, and a missing or weak value stops the start with one line that names it. There is no debug switch.
"""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port

from secure_auth import account_settings, env, mail_settings, webauthn_settings, witness_settings
from secure_auth.webhook_settings import read_webhooks
from throttling.limits import limits_from_env

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = False

# Where it runs
PORT = env.integer("PORT", 8000, most=65535)
HOST = env.host("HOST", "127.0.0.1")
ORIGIN = env.origin("ORIGIN", f"http://localhost:{PORT}")
BROWSER_ORIGIN = env.serialized_origin(ORIGIN)
DATA_DIR = env.path("DATA_DIR", BASE_DIR / "var")
MASTER_KEY = env.master_key("MASTER_KEY")
MASTER_KEY_COMMAND = env.command("MASTER_KEY_COMMAND")
MASTER_KEY_PREVIOUS = env.master_key("MASTER_KEY_PREVIOUS")
MASTER_KEY_FILE = Path(env.text("MASTER_KEY_FILE", str(DATA_DIR / "master.key")))
PRODUCTION = not env.is_loopback(ORIGIN)
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SERVER_WORKERS = env.integer("SERVER_WORKERS", max(2, min(8, CPUS)), most=64)
SERVER_THREADS = env.integer("SERVER_THREADS", 128, most=512)
DATABASE_POOL_SIZE = env.integer("DATABASE_POOL_SIZE", 10, most=500)
DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.redis("REDIS_URL")
REDIS_TIMEOUT_MILLISECONDS = env.integer("REDIS_TIMEOUT_MILLISECONDS", 80, least=10, most=10_000)
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
AUDIT_LOG_PUBLIC = env.flag("AUDIT_LOG_PUBLIC")
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 0, least=0, most=36_500)  # 0: for ever
WITNESSES = witness_settings.witnesses("WITNESSES")
CHECKPOINT_FILE = env.text("CHECKPOINT_FILE")
CHECKPOINT_COMMAND = env.command("CHECKPOINT_COMMAND")
METRICS_TOKEN = env.secret("METRICS_TOKEN", least=16)
SECURITY_CONTACT = env.contact(
    "SECURITY_CONTACT", f"mailto:security@{quote(mail_settings.domain_of(ORIGIN))}"
)

# Durations, in seconds
PARTIAL_TOKEN_SECONDS = env.integer("PARTIAL_TOKEN_SECONDS", 300, most=3600)
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", 300, most=3600)
SESSION_IDLE_SECONDS = env.integer("SESSION_IDLE_SECONDS", 3600)
SESSION_LIFETIME_SECONDS = env.integer("SESSION_LIFETIME_SECONDS", 86400)
CONSOLE_IDLE_SECONDS = env.integer("CONSOLE_IDLE_SECONDS", 900, most=86400)
REAUTHENTICATION_SECONDS = env.integer("REAUTHENTICATION_SECONDS", 300)
REFRESH_GRACE_SECONDS = env.integer("REFRESH_GRACE_SECONDS", 0, least=0, most=120)
ENROLMENT_WINDOW_SECONDS = env.integer("ENROLMENT_WINDOW_SECONDS", 86400, least=0)
CONFIRM_LINK_SECONDS = env.integer("CONFIRM_LINK_SECONDS", 86400, most=86400)
RESET_LINK_SECONDS = env.integer("RESET_LINK_SECONDS", 3600, most=86400)
ENROLMENT_LINK_SECONDS = env.integer("ENROLMENT_LINK_SECONDS", 3600, most=86400)
RESET_MFA_DELAY_SECONDS = env.integer("RESET_MFA_DELAY_SECONDS", 0, least=0, most=30 * 86400)
DEVICE_SECONDS = env.integer("DEVICE_SECONDS", 90 * 86400)
KEY_CACHE_SECONDS = env.integer("KEY_CACHE_SECONDS", 10, most=30)
JWKS_MAX_AGE_SECONDS = env.integer("JWKS_MAX_AGE_SECONDS", 300, least=2 * KEY_CACHE_SECONDS, most=86400)

# docs/throttling.md explains each; LIMIT_<PURPOSE> overrides one
try:
    LIMITS = limits_from_env(os.environ)
except ValueError as error:
    raise ImproperlyConfigured(str(error)) from error

# Passwords: Argon2id, RFC 9106; the numbers are OWASP's minimum and ASVS 11.4.2's
ARGON2_MEMORY_KIB = env.integer("ARGON2_MEMORY_KIB", 19456, least=8, most=4 * 1024**2)
ARGON2_TIME_COST = env.integer("ARGON2_TIME_COST", 2, most=64)
ARGON2_PARALLELISM = env.integer("ARGON2_PARALLELISM", 1, most=64)
HASH_CONCURRENCY = env.integer("HASH_CONCURRENCY", 0, least=0, most=1024)  # 0: by cores and memory
PASSWORD_HASHERS = [
    "secure_auth.passwords.Argon2Hasher",
    # what import_users brings along, replaced at its account's first login
    "secure_auth.hashers.Pbkdf2Hasher",
    "secure_auth.hashers.Pbkdf2Sha1Hasher",
    "secure_auth.hashers.BcryptSha256Hasher",
    "secure_auth.hashers.BcryptHasher",
    "secure_auth.hashers.ScryptHasher",
    "secure_auth.hashers.PhcPbkdf2Hasher",
    "secure_auth.hashers.PhcScryptHasher",
    "secure_auth.hashers.WrappedHasher",
]
PASSWORD_MIN_LENGTH = env.integer("PASSWORD_MIN_LENGTH", 8, least=8, most=64)
PASSWORD_MAX_LENGTH = 128
PASSWORD_CONTEXT_WORDS = account_settings.context_words("PASSWORD_CONTEXT_WORDS")
BREACHED_PASSWORDS = account_settings.breached_passwords(
    "BREACHED_PASSWORDS", "BREACHED_PASSWORDS_URL", plain=not PRODUCTION
)

# Who may make an account
REGISTRATION = account_settings.registration_mode("REGISTRATION")
INVITATION_HOURS = env.integer("INVITATION_HOURS", 72, most=720)

# Authenticators bound from now on; each keeps what it was bound with
TOTP_ALGORITHM = env.text("TOTP_ALGORITHM", "SHA1")
if TOTP_ALGORITHM not in ("SHA1", "SHA256", "SHA512"):
    raise env.refuse("TOTP_ALGORITHM", "must be SHA1, SHA256 or SHA512")
TOTP_DIGITS = env.integer("TOTP_DIGITS", 6, least=6, most=8)
if TOTP_DIGITS == 7:
    raise env.refuse("TOTP_DIGITS", "must be 6 or 8")

# Tokens
SIGNING_ALGORITHM = env.text("SIGNING_ALGORITHM", "ES256")
if SIGNING_ALGORITHM not in ("ES256", "EdDSA"):
    raise env.refuse("SIGNING_ALGORITHM", "must be ES256 or EdDSA")
TOKEN_ISSUER = env.text("TOKEN_ISSUER", ORIGIN)
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", ORIGIN)
TOKEN_CLIENT_ID = env.text("TOKEN_CLIENT_ID", "secure-auth")
SIMPLE_JWT = {
    "ALGORITHM": SIGNING_ALGORITHM,
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS_TOKEN_SECONDS),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=SESSION_IDLE_SECONDS),
    "USER_ID_CLAIM": "sub",
}

# Mail
MAIL = mail_settings.read_mail("EMAIL_URL", plain=not PRODUCTION)
DEFAULT_FROM_EMAIL = mail_settings.sender(
    "EMAIL_FROM", f"Secure Auth <no-reply@{mail_settings.domain_of(ORIGIN)}>"
)
EMAIL_REPLY_TO = mail_settings.sender("EMAIL_REPLY_TO", "")
EMAIL_BACKEND, ANYMAIL = MAIL.backend, MAIL.provider
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.username, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = MAIL.starttls, MAIL.tls, mail_settings.TIMEOUT_SECONDS
MAIL_TEMPLATES_DIR = mail_settings.directory("MAIL_TEMPLATES_DIR")
PRODUCT_NAME = env.title("PRODUCT_NAME", "Secure Auth")

# WebAuthn
WEBAUTHN_RELATED_ORIGINS = env.origins("WEBAUTHN_RELATED_ORIGINS", plain=False)
WEBAUTHN_RP_ID = webauthn_settings.rp_id("WEBAUTHN_RP_ID", origin=ORIGIN, related=WEBAUTHN_RELATED_ORIGINS)
WEBAUTHN_ORIGINS = tuple(dict.fromkeys((BROWSER_ORIGIN, *WEBAUTHN_RELATED_ORIGINS)))
WEBAUTHN_USER_VERIFICATION = webauthn_settings.choice(
    "WEBAUTHN_USER_VERIFICATION", webauthn_settings.USER_VERIFICATION, "preferred"
)
WEBAUTHN_ATTESTATION = webauthn_settings.choice("WEBAUTHN_ATTESTATION", webauthn_settings.ATTESTATION, "none")

if BREACHED_PASSWORDS.url or WITNESSES:
    env.demand_usable_proxies()

# Detections
WEBHOOKS = read_webhooks("WEBHOOK_URL", "WEBHOOK_SECRET", plain=not PRODUCTION)

if PRODUCTION:
    own_key = MASTER_KEY or MASTER_KEY_COMMAND or env.text("MASTER_KEY_FILE")
    for name, value in (("MASTER_KEY", own_key), ("DATABASE_URL", DATABASE_URL), ("EMAIL_URL", MAIL.is_sent)):
        if not value:
            raise env.refuse(name, f"must be set when ORIGIN ({ORIGIN}) is not a loopback name")
    for name, cost, least in (
        ("ARGON2_MEMORY_KIB", ARGON2_MEMORY_KIB, 19456),
        ("ARGON2_TIME_COST", ARGON2_TIME_COST, 2),
    ):
        if cost < least:
            raise env.refuse(name, f"must be at least {least} in production")
    if MAIL.shows_password:
        raise env.refuse("EMAIL_URL", "must be smtp+tls:// or smtps:// when it holds a password")
    if "*" in env.words("ALLOWED_HOSTS"):
        raise env.refuse("ALLOWED_HOSTS", "must name the hosts, not allow all")
    if not BROWSER_ORIGIN.startswith("https://"):
        raise env.refuse("ORIGIN", "must be https:// when it is not a loopback name")
if SESSION_IDLE_SECONDS > SESSION_LIFETIME_SECONDS:
    raise env.refuse("SESSION_IDLE_SECONDS", "must not exceed SESSION_LIFETIME_SECONDS")

# Nothing that outlives a process is signed with Django's own key: tokens, digests and cookies use the key rings.
SECRET_KEY = secrets.token_urlsafe(64)

ALLOWED_HOSTS = [*env.hosts("ALLOWED_HOSTS"), split_domain_port(urlsplit(ORIGIN).netloc)[0]]
if not PRODUCTION:
    ALLOWED_HOSTS += env.LOOPBACK_NAMES
SECURE_SSL_REDIRECT = BROWSER_ORIGIN.startswith("https://")
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 63072000 if BROWSER_ORIGIN.startswith("https://") else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BROWSER_ORIGIN.startswith("https://")
SECURE_PROXY_SSL_HEADER = (
    "HTTP_X_FORWARDED_PROTO",
    "https",
)  # RequestMiddleware drops it from untrusted peers
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "DENY"
CORS_ALLOWED_ORIGINS = list(env.origins("CORS_ORIGINS", plain=not PRODUCTION))
CORS_ALLOW_HEADERS = ("authorization", "content-type", "idempotency-key", "x-device-token", "x-request-id")
CORS_EXPOSE_HEADERS = ("ratelimit", "ratelimit-policy", "retry-after", "www-authenticate", "x-request-id")

# Bodies are JSON documents of a few fields: 64 KiB is generous. Larger ones are refused before they are parsed.
MAX_BODY_BYTES = 64 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50

ROOT_URLCONF = "secure_auth.urls"
WSGI_APPLICATION = "secure_auth.wsgi.application"
APPEND_SLASH = False
INSTALLED_APPS = [
    "secure_auth",  # first, so that its commands stand before those of the same name
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "throttling",
    "audit",
    "mfa",
]
MIDDLEWARE = [
    "secure_auth.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "secure_auth.web.static.StaticFilesMiddleware",
    "secure_auth.middleware.SourceLimitMiddleware",
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {"staticfiles": {"BACKEND": "secure_auth.web.static.NamedByContent"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_AUTOREFRESH = False

DATABASES = {"default": env.database("DATABASE_URL", DATA_DIR, DATABASE_POOL_SIZE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]  # of the pages; the API speaks English
LANGUAGE_COOKIE_NAME = "__Host-language"

# No password-only door: Django's own authenticate() signs nobody in, its admin and its sessions are not installed.
AUTH_USER_MODEL = "secure_auth.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend"]
AXES_HANDLER = "throttling.lockout.ReservingHandler"
AXES_ENABLED = True
# What axes' own helpers tell of the lockout; the limiter decides.
AXES_USERNAME_FORM_FIELD = "username"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = LIMITS["password_account_source"].allowed
AXES_COOLOFF_TIME = timedelta(seconds=LIMITS["password_account_source"].lock_seconds)
SILENCED_SYSTEM_CHECKS = [
    "axes.W001",  # the cache is not used: the handler keeps its state in the limiter
    "axes.W002",  # no middleware: the use cases speak to the handler
    "security.W003",  # no CSRF middleware: api.cookies judges what a cookie authenticates
    *([] if PRODUCTION else ["security.W004", "security.W008"]),  # there is no TLS on a loopback name
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["secure_auth.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "secure_auth.api.schema.ContractSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "secure_auth.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": PRODUCT_NAME,
    "DESCRIPTION": (
        "Two-step login, sessions and the audit log.\n\nErrors are RFC 9457 problem documents. Beyond those of each "
        "operation, any address answers `method_not_allowed` (405, with `Allow`) to a method that is not told here, "
        "`payload_too_large` (413) to a body of more than 64 KiB and `validation_failed` (400) to a foreign `Host` "
        "and to what cannot be read as HTTP."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": ["secure_auth.api.components.add_shared_parts"],
    "SERVERS": [{"url": "/"}],
}
LOGGING_CONFIG = "secure_auth.logging_config.configure"
LOGGING = {"level": env.log_level("LOG_LEVEL")}
