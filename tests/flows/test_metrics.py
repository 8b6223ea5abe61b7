"""/metrics: who may read it, what it counts over all processes of a node, and what it never says."""

import contextlib
import os
import signal
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.client import Client, Person, new_email
from tests.conftest import new_address
from tests.problems import problem
from tests.server import TESTED_BACKENDS, Server, running_server

pytestmark = pytest.mark.xdist_group("metrics")
TOKEN = "read-what-was-counted-here"
PER_MINUTE = 40


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def counting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A node whose metrics can be read."""
    environment = {"METRICS_TOKEN": TOKEN, "HASH_CONCURRENCY": "1", "LIMIT_REQUESTS": f"{PER_MINUTE}/min"}
    directory = tmp_path_factory.mktemp("metrics")
    with running_server(request.param, directory, environment=environment) as running:
        yield running


@pytest.fixture
def reader(counting: Server) -> Iterator[Client]:
    client = Client(counting, new_address())
    yield client
    client.close()


@pytest.fixture
def visitor(counting: Server) -> Iterator[Client]:
    client = Client(counting, new_address())
    yield client
    client.close()


def read(client: Client) -> dict[tuple[str, ...], float]:
    """Every value by its name and labels."""
    answer = client.get("/metrics", TOKEN)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name.removeprefix("secure_auth_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


class Growth:
    """What grew since."""

    def __init__(self, client: Client) -> None:
        self.client, self.before = client, read(client)

    def of(self, name: str, *labels: str) -> float:
        key = (f"{name}_total", *labels)
        return read(self.client)[key] - self.before[key]


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
def test_only_the_right_token_opens(visitor: Client, token: str) -> None:
    answer = visitor.get("/metrics", token)
    problem(answer, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == ("Bearer" + (' error="invalid_token"' if token else ""))
    for header in (f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN} x", "Bearer"):
        problem(visitor.get("/metrics", headers={"Authorization": header}), "invalid_token")


def test_text_is_prometheus_and_methods_are_the_safe_ones(reader: Client) -> None:
    answer = reader.get("/metrics", TOKEN)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert reader.request("HEAD", "/metrics", TOKEN).content == b""
    problem(reader.request("POST", "/metrics", TOKEN), "method_not_allowed")
    assert reader.get("/metrics", TOKEN, headers={"Host": "10.0.0.1:8000"}).status_code == 200
    assert reader.get("/metrics", headers={"Authorization": f"bearer   {TOKEN}"}).status_code == 200


def test_scrapes_count_against_no_limit_and_guesses_do(reader: Client, visitor: Client) -> None:
    for _ in range(PER_MINUTE + 5):
        assert "RateLimit" not in reader.get("/metrics", TOKEN).headers
    for number in range(PER_MINUTE):
        problem(visitor.get("/metrics", f"a wrong token {number}"), "invalid_token")
    problem(visitor.get("/metrics", "a wrong token"), "rate_limited")
    problem(visitor.get("/metrics", TOKEN), "rate_limited")
    read(reader)


def test_zeros_are_there_before_anything_happened(reader: Client) -> None:
    found = read(reader)
    for purpose in ("spraying", "totp_device", "recovery_account"):
        for outcome in ("granted", "refused", "in_flight"):
            assert found["limit_decisions_total", purpose, outcome] == 0
    assert found["limit_store_failovers_total", "redis"] == 0


def test_limits_locks_and_answers_are_counted_over_all_workers(
    counting: Server, reader: Client, visitor: Client
) -> None:
    grown = Growth(reader)
    person = Person(new_email())
    for _ in range(5):
        problem(visitor.login(person, "a wrong password"), "invalid_credentials")
    problem(visitor.login(person, "a wrong password"), "temporarily_locked")
    assert grown.of("limit_decisions", "password_account_source", "granted") == 5
    assert grown.of("limit_decisions", "password_account_source", "refused") == 1
    assert grown.of("limit_decisions", "spraying", "granted") == 5
    assert grown.of("lockouts", "password_account_source") == 1
    assert grown.of("http_requests", "4xx") == 6
    redis = grown.of("limit_store_decisions", "redis")
    assert redis >= 6 if "redis" in counting.backend else redis == 0
    assert grown.of("limit_store_decisions", "database") >= 5


def test_refused_access_tokens_are_counted_by_what_is_wrong(reader: Client, visitor: Client) -> None:
    person = visitor.create_person()
    grown = Growth(reader)
    header, claims, signature = person.access.split(".")
    for token in ("nonsense", "a.b.c", f"{header}.{claims}."):
        problem(visitor.me(token), "invalid_token")
    for token in (f"{header}.{claims}.{signature[::-1]}", person.refresh):
        problem(visitor.me(token), "invalid_token")
    visitor.post("logout/", {}, person.access)
    problem(visitor.me(person.access), "invalid_token")
    assert grown.of("access_tokens_refused", "malformed") + grown.of("access_tokens_refused", "forged") == 5
    assert grown.of("access_tokens_refused", "malformed") in (
        3,
        4,
    )  # the reversed signature may be no base64url
    assert grown.of("access_tokens_refused", "session_ended") == 1
    assert grown.of("access_tokens_refused", "expired") == 0


def test_refusals_for_want_of_hashing_capacity_are_counted(counting: Server, reader: Client) -> None:
    grown = Growth(reader)

    def log_in(_: int) -> int:
        with contextlib.closing(Client(counting, new_address())) as client:
            return client.login(Person(new_email())).status_code

    with ThreadPoolExecutor(12) as pool:
        refused = list(pool.map(log_in, range(36))).count(503)
    assert grown.of("capacity_refusals", "hashing") == refused > 0


def test_nothing_personal_is_told(counting: Server, reader: Client, visitor: Client) -> None:
    person = visitor.create_person()
    text = reader.get("/metrics", TOKEN).text
    for secret in (person.email, "example.org", visitor.address, reader.address, person.session_id, TOKEN):
        assert secret not in text


def test_files_are_private_and_lie_in_the_data_directory(counting: Server) -> None:
    directory = counting.data_dir / "metrics"
    for path in (directory, *directory.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert counting.manage("help").returncode == 0


def files(server: Server) -> set[str]:
    return {path.name for path in (server.data_dir / "metrics" / server.environment["PORT"]).glob("*.db")}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="workers are found by their files")
def test_dead_workers_counts_stay_and_their_files_go(counting: Server, reader: Client) -> None:
    for _ in range(4):
        reader.get("me/")
    before, old = read(reader), files(counting)
    workers = [int(name[8:-3]) for name in old - {"counter_0.db"}]
    assert len(workers) == 2
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while files(counting) & old != {"counter_0.db"} or len(files(counting)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    reader.server.nodes[0].wait_until_ready()
    after = read(reader)
    assert all(after[key] >= value for key, value in before.items() if key[0].endswith("_total"))
    assert after["http_requests_total", "4xx"] == before["http_requests_total", "4xx"]
