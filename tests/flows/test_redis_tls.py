"""Limits in a Redis that speaks TLS (`rediss://`): a real server, with certificates of a test's own authority."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.attacks.evidence import events
from tests.attacks.volley import answered
from tests.conftest import new_address
from tests.redis_processes import RedisProcess, running
from tests.server import Server, running_server
from tests.services import believe

ALLOWED = 12


def certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """An authority's, or by one a server's for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    draft = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return draft.sign(issuer[1] if issuer else key, hashes.SHA256()), key


class TLSRedis(RedisProcess):
    """A server that speaks nothing but TLS, as `name`; `authority` is the file of who vouches for it."""

    def __init__(self, directory: Path, name: str) -> None:
        self.authority, own, secret = (directory / file for file in ("authority.pem", "own.pem", "own.key"))
        authority = certificate("authority")
        vouched, key = certificate(name, authority)
        self.authority.write_bytes(authority[0].public_bytes(Encoding.PEM))
        own.write_bytes(vouched.public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files = (
            "--tls-cert-file",
            str(own),
            "--tls-key-file",
            str(secret),
            "--tls-ca-cert-file",
            str(self.authority),
        )
        super().__init__(directory, *files, "--tls-auth-clients", "no")
        self.options = (*self.options, "--port", "0", "--tls-port", str(self.port))

    def client(self) -> redis.Redis:
        return redis.Redis(
            port=self.port, socket_timeout=5, ssl=True, ssl_cert_reqs="none", ssl_check_hostname=False
        )

    def is_used(self) -> bool:
        return any(b"source:" in key for key in self.client().scan_iter("limit:*"))


@contextmanager
def service(directory: Path, name: str, *, trusts: bool = True) -> Iterator[tuple[Server, TLSRedis]]:
    """A service that knows its Redis as `localhost`, and trusts its authority or those of the system only."""
    server = TLSRedis(directory, name)
    with running(server):
        believe(server.client())
        url = f"rediss://localhost:{server.port}/0"
        environment = {
            "REDIS_URL": f"{url}?ssl_ca_certs={server.authority}" if trusts else url,
            "REDIS_TIMEOUT_MILLISECONDS": "600",
            "LIMIT_REQUESTS": f"{ALLOWED}/min",
        }
        with running_server("sqlite", directory, worker=False, environment=environment) as node:
            yield node, server


def test_limits_hold_exactly_and_a_server_that_falls_silent_keeps_nobody_waiting(tmp_path: Path) -> None:
    with service(tmp_path, "localhost") as (server, redis_server):
        assert answered(server, new_address(), 3 * ALLOWED) == ALLOWED
        assert redis_server.is_used()
        assert not events(server, type="limit.store")
        redis_server.signal(signal.SIGSTOP)
        assert answered(server, new_address(), 3 * ALLOWED) == ALLOWED
        assert "database" in {event.details["store"] for event in events(server, type="limit.store")}


@pytest.mark.parametrize(("name", "trusts"), [("elsewhere.example", True), ("localhost", False)])
def test_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path, name: str, trusts: bool) -> None:
    with service(tmp_path, name, trusts=trusts) as (server, redis_server):
        assert answered(server, new_address(), 3 * ALLOWED) == ALLOWED
        assert not redis_server.is_used()
        assert "database" in {event.details["store"] for event in events(server, type="limit.store")}
