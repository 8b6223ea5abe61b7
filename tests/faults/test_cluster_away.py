"""A Redis Cluster of which no node can be reached is an outage like any other, at the start of a node of ours too."""

from contextlib import closing
from pathlib import Path

from tests.client import Client
from tests.conftest import new_address
from tests.server import free_port, running_server


def test_node_starts_and_serves_while_no_node_of_the_cluster_is_reached(tmp_path: Path) -> None:
    away = {"REDIS_URL": f"redis+cluster://127.0.0.1:{free_port()}"}
    with (
        running_server("sqlite", tmp_path, worker=False, environment=away) as server,
        closing(Client(server, new_address())) as client,
    ):
        assert [client.get("me/").status_code for _ in range(3)] == [401, 401, 401]
        assert client.get("/readyz").json()["checks"]["redis"] == "away"
