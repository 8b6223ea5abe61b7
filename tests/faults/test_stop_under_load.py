"""A node stops while many are asking: whoever is connected is answered, whoever comes later is refused.

A request that meets a reset may have been done, so no proxy sends it to another node; one that is refused it does.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from secure_auth.stopping import let_nobody_begin
from tests.faults.family import web_workers
from tests.processes import descendants
from tests.redis_processes import wait_until
from tests.server import TLS, running_server

CLIENTS = 12
MOST_UNLUCKY = 2  # they stood still for a second


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


def takes_nobody(url: str) -> bool:
    """Whether nobody new is taken there any more, who is dropped at first and refused later."""
    target = httpx.URL(url)
    with socket.socket() as connecting:
        connecting.settimeout(0.02)
        return connecting.connect_ex((target.host, target.port or 0)) != 0


def signal_all(pids: list[int], number: int) -> None:
    """Signal those that have not ended meanwhile: the worker without a connection has."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


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
    ends = [tuple(one[-2:]) for one in told]
    unlucky = [end for end in ends if end[1] != "ConnectError"]
    assert len(unlucky) <= MOST_UNLUCKY, unlucky
    if keeps_alive:
        assert sum(before == "close" for before, _ in ends) >= CLIENTS - MOST_UNLUCKY, ends


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"]
)
def test_who_begins_after_the_last_look_is_refused_and_not_reset(family: int, host: str) -> None:
    """The kernel had taken it already, and its client might have sent a request."""
    with socket.socket(family) as listener, socket.socket(family) as late:
        listener.bind((host, 0))
        listener.listen()
        where = listener.getsockname()[:2]
        with socket.create_connection(where) as early:
            let_nobody_begin(listener)
            late.setblocking(False)
            assert late.connect_ex(where) == errno.EINPROGRESS
            early.sendall(b"a request")
            with listener.accept()[0] as taken:
                assert taken.recv(9) == b"a request"
                taken.sendall(b"an answer")
            assert early.recv(9) == b"an answer"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
        assert select.select([], [late], [], 10)[1]
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_nobody_comes_into_the_line_of_a_worker_that_has_not_closed_it_yet(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False) as server:
        late, *_ = web_workers(server.nodes[0])
        os.kill(late, signal.SIGSTOP)
        try:
            server.nodes[0].process.terminate()
            wait_until(lambda: takes_nobody(server.url), 4)
        finally:
            os.kill(late, signal.SIGCONT)
        assert server.nodes[0].stop() == 0


def test_a_pause_of_the_machine_takes_nobody_the_time_for_a_last_request(tmp_path: Path) -> None:
    with (
        running_server("sqlite", tmp_path, worker=False) as server,
        httpx.Client(base_url=server.url, trust_env=False, verify=TLS) as client,
    ):
        assert client.get("/api/v1/me/").status_code == 401
        top = server.nodes[0].process.pid
        server.nodes[0].process.terminate()
        wait_until(lambda: takes_nobody(server.url))
        stopping = descendants(top)
        signal_all(stopping, signal.SIGSTOP)
        time.sleep(1.5)
        signal_all(stopping, signal.SIGCONT)
        time.sleep(0.2)
        assert client.get("/api/v1/me/").headers["Connection"] == "close"
        assert server.nodes[0].stop() == 0
