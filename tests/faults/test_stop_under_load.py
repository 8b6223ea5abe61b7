"""A node stops while many are asking: whoever is connected is answered, whoever comes later is refused at once.

A request that meets a reset may have been done, so no proxy sends it to another node; one that is refused it does.
"""

import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.redis_processes import wait_until
from tests.server import TLS, running_server

CLIENTS = 12
MOST_UNLUCKY = (
    2  # connected in the microseconds between the last look at the socket and its end, or stood still
)


def ask_until_refused(url: str, *, keeps_alive: bool, told: list[str]) -> None:
    """Ask again and again; note how the answers ended."""
    client = httpx.Client(trust_env=False, verify=TLS, timeout=10)
    try:
        while True:
            if not keeps_alive:
                client.close()
                client = httpx.Client(trust_env=False, verify=TLS, timeout=10)
            told.append(client.get(url).headers.get("Connection", ""))
    except httpx.TransportError as error:
        told.append(type(error).__name__)
    finally:
        client.close()


@pytest.mark.parametrize("keeps_alive", [True, False], ids=["kept", "anew"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nobody_who_is_connected_goes_without_an_answer(
    tmp_path: Path, keeps_alive: bool, number: int
) -> None:
    told: list[list[str]] = [[] for _ in range(CLIENTS)]
    with running_server("sqlite", tmp_path, worker=False) as server:
        asking = [
            threading.Thread(
                target=ask_until_refused,
                args=(f"{server.url}/api/v1/me/",),
                kwargs={"keeps_alive": keeps_alive, "told": one},
            )
            for one in told
        ]
        for thread in asking:
            thread.start()
        wait_until(lambda: all(told))  # each was answered
        status = server.nodes[0].stop(number)
        for thread in asking:
            thread.join()
    assert status == 0
    assert sum(one[-1] != "ConnectError" for one in told) <= MOST_UNLUCKY
    if keeps_alive:
        assert sum(one[-2] == "close" for one in told) >= CLIENTS - MOST_UNLUCKY
