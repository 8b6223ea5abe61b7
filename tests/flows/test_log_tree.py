"""The log as others can check it: proofs, checkpoints, tiles, and reading in the order of the tree."""

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import PASSWORD, Client, Person, code_of, expect
from tests.conftest import new_address
from tests.server import Server, running_server
from tests.tree import (
    Head,
    fetch_head,
    leaf_hash,
    open_checkpoint,
    root_by_path,
    tree_root,
    wait_for_proof,
)


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[Client]:
    client = Client(server, new_address())
    yield client
    client.close()


@pytest.fixture(scope="module")
def auditor(reader: Client) -> Person:
    return reader.create_person(role="auditor")


def fail_to_log_in(client: Client, reader: Client, auditor: Person) -> dict:
    """An event with personal data, as auditors see it."""
    client.login(Person(f"nobody-{new_address()}@example.org"), "wrong-" + PASSWORD)
    events = expect(reader.get("audit/events/", auditor.access, params={"ip": client.address}), 200)
    return dict(events["results"][0])


def tile_name(index: int, width: int) -> str:
    assert index < 1000
    return f"{index:03d}" + ("" if width == 256 else f".p/{width}")


def fetch_leaf_hashes(client: Client, auditor: Person, size: int, log: str = "audit/log/") -> list[bytes]:
    """All leaf hashes of a tree, from its tiles."""
    found = b""
    for start in range(0, size, 256):
        width = min(256, size - start)
        answer = client.get(f"{log}tile/0/{tile_name(start // 256, width)}", auditor.access)
        assert answer.status_code == 200
        found += answer.content
    return [found[at : at + 32] for at in range(0, len(found), 32)]


def test_an_event_is_proved_under_a_signed_checkpoint(
    client: Client, reader: Client, auditor: Person
) -> None:
    event = fail_to_log_in(client, reader, auditor)
    proof = wait_for_proof(reader, auditor, event["id"])
    assert proof["event"] == event
    leaf = json.loads(proof["leaf"])
    assert proof["leaf"] == json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert {name: leaf[name] for name in ("id", "type", "outcome", "time")} == {
        name: event[name] for name in ("id", "type", "outcome", "time")
    }
    assert client.address not in proof["leaf"]
    head = open_checkpoint(proof["checkpoint"], reader.get("audit/log/vkey", auditor.access).text)
    path = [base64.b64decode(each) for each in proof["hashes"]]
    assert root_by_path(leaf_hash(proof["leaf"].encode()), proof["index"], head.size, path) == head.root
    assert proof["erased"] == []
    assert {name: opening["value"] for name, opening in proof["openings"].items()} == {
        "subject": event["subject"],
        "ip": client.address,
        "user_agent": event["source"]["user_agent"],
    }
    for name, opening in proof["openings"].items():
        value = json.dumps({name: opening["value"]}, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(base64.b64decode(opening["salt"]) + value.encode()).digest()
        assert base64.b64encode(digest).decode() == leaf["commitments"][name]


def test_the_same_proof_as_text_is_a_c2sp_one(client: Client, reader: Client, auditor: Person) -> None:
    event = fail_to_log_in(client, reader, auditor)
    proof = wait_for_proof(reader, auditor, event["id"])
    path = f"audit/events/{event['id']}/proof/"
    answer = reader.get(path, auditor.access, headers={"Accept": "text/plain"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    top, _, checkpoint = answer.text.partition("\n\n")
    header, index, *hashes = top.split("\n")
    assert (header, index) == ("c2sp.org/tlog-proof@v1", f"index {proof['index']}")
    head = open_checkpoint(checkpoint, reader.get("audit/log/vkey", auditor.access).text)
    path_hashes = [base64.b64decode(each) for each in hashes]
    leaf = leaf_hash(proof["leaf"].encode())
    assert root_by_path(leaf, proof["index"], head.size, path_hashes) == head.root


def test_tiles_and_bundles_give_the_root_that_is_signed(reader: Client, auditor: Person) -> None:
    head = fetch_head(reader, auditor)
    assert head.origin == reader.server.origin.partition("://")[2] + "/api/v1/audit/log"
    hashes = fetch_leaf_hashes(reader, auditor, head.size)
    assert tree_root(hashes) == head.root
    width = min(256, head.size)
    bundle = reader.get(f"audit/log/tile/entries/{tile_name(0, width)}", auditor.access).content
    leaves = []
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        leaves.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    assert [leaf_hash(leaf) for leaf in leaves] == hashes[:width]
    first = json.loads(leaves[0])
    assert (first["type"], first["details"]["origin"]) == ("log.start", head.origin)


def test_a_later_tree_begins_with_the_earlier_one(client: Client, reader: Client, auditor: Person) -> None:
    before = fetch_head(reader, auditor)
    event = fail_to_log_in(client, reader, auditor)
    wait_for_proof(reader, auditor, event["id"])
    after = fetch_head(reader, auditor)
    assert after.size > before.size
    assert tree_root(fetch_leaf_hashes(reader, auditor, after.size)[: before.size]) == before.root


@pytest.mark.parametrize(
    "name",
    [
        "0/999",
        "0/x000/000",
        "0/000.p/256",
        "0/000.p/0",
        "64/000",
        "0/00",
        "entries/999",
        "7/000.p/1",
        "0/x001/000",
    ],
)
def test_tiles_that_no_checkpoint_needs_are_not_there(reader: Client, auditor: Person, name: str) -> None:
    assert code_of(reader.get(f"audit/log/tile/{name}", auditor.access)) == "not_found"


def test_the_log_is_for_auditors(client: Client, reader: Client, auditor: Person) -> None:
    person = client.create_person()
    event = fail_to_log_in(client, reader, auditor)
    for path in ("audit/log/checkpoint", "audit/log/vkey", "audit/log/tile/0/000.p/1", "audit/log/1/vkey"):
        assert code_of(client.get(path)) == "invalid_token"
        assert code_of(client.get(path, person.access)) == "permission_denied"
    assert code_of(client.get(f"audit/events/{event['id']}/proof/", person.access)) == "permission_denied"
    nobody = "00000000-0000-7000-8000-000000000000"
    assert code_of(reader.get(f"audit/events/{nobody}/proof/", auditor.access)) == "not_found"
    assert code_of(reader.get("audit/log/7/checkpoint", auditor.access)) == "not_found"


def test_what_is_true_for_ever_may_be_cached_and_the_checkpoint_not(reader: Client, auditor: Person) -> None:
    assert reader.get("audit/log/checkpoint", auditor.access).headers["Cache-Control"] == "no-cache"
    tile = reader.get("audit/log/tile/0/000.p/1", auditor.access)
    assert tile.headers["Cache-Control"] == "no-cache"  # a successor will have other tiles here
    numbered = reader.get("audit/log/1/tile/0/000.p/1", auditor.access)
    assert numbered.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert tile.headers["Content-Type"] == "application/octet-stream"


def test_reading_the_tree_is_one_event_an_hour(server: Server) -> None:
    client = Client(server, new_address())
    auditor = client.create_person(role="auditor")
    for _ in range(3):
        client.get("audit/log/checkpoint", auditor.access)
        client.get("audit/log/vkey", auditor.access)
    query = {"type": "audit.read", "ip": client.address, "q": "success"}
    events = expect(client.get("audit/events/", auditor.access, params=query), 200)["results"]
    assert [event["details"] for event in events] == [{"view": "log"}]
    client.close()


def follow(client: Client, auditor: Person, url: str) -> tuple[list[str], str]:
    """Ids from this page on to the end, and the page to ask next time."""
    seen: list[str] = []
    while True:
        page = expect(client.get(url.removeprefix(client.server.origin), auditor.access), 200)
        seen += [event["id"] for event in page["results"]]
        if page["next"] is None:
            return seen, url
        url = page["next"]


def test_a_follower_sees_each_event_once_and_misses_none(
    server: Server, new_client: Callable[..., Client], reader: Client, auditor: Person
) -> None:
    start = expect(reader.get("audit/events/", auditor.access, params={"limit": 1}), 200)["results"][0][
        "time"
    ]
    url = f"{server.origin}/api/v1/audit/events/?order=index&limit=7&type=login.password&since={start}"
    done = threading.Event()

    def fail_often(client: Client) -> None:
        for number in range(12):
            client.login(Person(f"{number}-{client.address}@example.org"), "wrong-" + PASSWORD)

    threads = [threading.Thread(target=fail_often, args=(new_client(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen: dict[str, None] = {}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(thread.is_alive() for thread in threads):
            done.set()
        ids, url = follow(reader, auditor, url)
        seen |= dict.fromkeys(ids)
        written = server.rows(
            "SELECT count(*) FROM audit_event WHERE type = 'login.password' AND time >= %s",
            [start.replace("T", " ").removesuffix("Z")],
        )[0][0]
        if done.is_set() and len(seen) >= written:
            break
        time.sleep(0.2)
    assert len(seen) == written >= 48
    indexes = [
        server.rows('SELECT "index" FROM audit_entry WHERE event = %s', [event_id])[0][0]
        for event_id in list(seen)[:20]
    ]
    assert indexes == sorted(indexes)


def test_pages_by_index_lead_back_and_forth(server: Server, reader: Client, auditor: Person) -> None:
    first = expect(reader.get("audit/events/", auditor.access, params={"order": "index", "limit": 3}), 200)
    assert first["results"][0]["type"] == "log.start"
    assert first["previous"] is None
    second = expect(reader.get(first["next"].removeprefix(server.origin), auditor.access), 200)
    again = expect(reader.get(second["previous"].removeprefix(server.origin), auditor.access), 200)
    assert again["results"] == first["results"]
    wrong = reader.get("audit/events/", auditor.access, params={"order": "index", "cursor": "PDAxOTMyZjUx"})
    assert code_of(wrong) == "validation_failed"


@pytest.fixture
def unled(tmp_path: Path) -> Iterator[Server]:
    """A service whose log is public, and whose only node leaves the background work to others."""
    with running_server("sqlite", tmp_path, nodes=0, environment={"AUDIT_LOG_PUBLIC": "true"}) as server:
        server.start_node("--no-worker")
        yield server


def test_without_a_worker_events_wait_and_with_one_the_public_can_check(unled: Server) -> None:
    client = Client(unled, new_address())
    auditor = client.create_person(role="auditor")
    event = fail_to_log_in(client, client, auditor)
    pending = client.get(f"audit/events/{event['id']}/proof/", auditor.access)
    assert code_of(pending) == "event_pending"
    assert int(pending.headers["Retry-After"]) >= 1
    assert code_of(client.get("audit/log/checkpoint")) == "not_found"
    unled.start_node()
    wait_for_proof(client, auditor, event["id"])
    head: Head = open_checkpoint(client.get("audit/log/checkpoint").text, client.get("audit/log/vkey").text)
    assert client.get(f"audit/log/tile/0/{tile_name(0, min(head.size, 256))}").status_code == 200
    assert "public" in client.get("audit/log/1/tile/0/000.p/1").headers["Cache-Control"]
    assert code_of(client.get("audit/events/")) == "invalid_token"
    client.close()


def test_both_published_keys_sign_and_the_next_one_goes_on_after_a_rotation(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, environment={"KEY_CACHE_SECONDS": "2"}) as server:
        client = Client(server, new_address())
        auditor = client.create_person(role="auditor")
        wait_for_proof(client, auditor, fail_to_log_in(client, client, auditor)["id"])
        active, following = client.get("audit/log/vkeys", auditor.access).text.splitlines()
        note = client.get("audit/log/checkpoint", auditor.access).text
        assert open_checkpoint(note, active) == open_checkpoint(note, following)
        server.rows("UPDATE secure_auth_key SET created_at = '2020-01-01 00:00:00'")
        server.manage("rotate_keys", "--purpose", "audit")
        deadline = time.monotonic() + 30
        while client.get("audit/log/vkey", auditor.access).text.strip() != following:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        proof = wait_for_proof(client, auditor, fail_to_log_in(client, client, auditor)["id"])
        open_checkpoint(proof["checkpoint"], following)
        server.manage("export_log", "--out", str(tmp_path / "export"))
        listed = (tmp_path / "export" / "vkey").read_text().splitlines()
        assert (listed[0], listed.count(active)) == (following, 1)  # older checkpoints are the retired key's
        client.close()
