"""Connections to Redis or Valkey: which server holds a key, and a pool of connections to each.

Promises: time-outs are short and nothing waits longer; each connection knows the identity of the server at its other
end (its run id), so that a restarted, replaced or promoted one is noticed by whoever speaks to it first. Calls of
one server travel together. redis-py connects, finds masters and slots; its pools are not used: taking from one costs
more than the call itself.
"""

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.conf import settings
from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, NoScriptError, RedisClusterException, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from throttling.stores.location import parse_location
from throttling.stores.wire import Command, Wire

# Whatever keeps a server from answering. That of a cluster whose nodes are all away is no RedisError.
ERRORS = (RedisError, RedisClusterException, OSError)
TIMEOUT_SECONDS = settings.REDIS_TIMEOUT_MILLISECONDS / 1000
WIRE_SECONDS = 10.0  # a server that was told to evict keys tells nobody who is connected

logger = logging.getLogger(__name__)
Call = tuple[Sequence[str], Sequence[Any]]  # keys, arguments


class Server:
    """One server, and the connections to it that are idle now."""

    def __init__(self, pool: Any, trust_seconds: float) -> None:
        self._pool = pool
        self._trust_seconds = trust_seconds
        self._idle: deque[Wire] = deque()
        self._identity = ""
        # Another that answered, and since when: one object, or a thread could meet the new one with the old one's time.
        self._other = ("", 0.0)

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands, to each of which the server's identity is appended; errors stand in their place.

        A connection that was idle may have been closed meanwhile: then a new one is tried, once.
        """
        try:
            wire = self._idle.pop()
        except IndexError:
            return self._exchange(self._connect(), commands)
        if time.monotonic() - wire.opened_at > WIRE_SECONDS:
            wire.close()
            return self._exchange(self._connect(), commands)
        try:
            return self._exchange(wire, commands)
        except RedisTimeoutError:
            raise
        except RedisConnectionError:
            self.close()
            return self._exchange(self._connect(), commands)

    def _is_the_known_one(self, identity: str) -> bool:
        """Whether this is the server known so far, or one that took its place a full window ago.

        It was asked all the same, so that its own marks begin to wait. But behind one name may stand several servers,
        each with marks that are good: whoever comes from one to the next must not be granted its limits anew.
        """
        now, (other, since) = time.monotonic(), self._other
        if identity not in (self._identity, other):
            other, since = self._other = (identity, now)
        if not self._identity or (identity == other and now - since >= self._trust_seconds):
            self._identity = identity
        return identity == self._identity

    def greet(self) -> None:
        """Connect, and know this server from now on, where none is known yet."""
        wire = self._connect()
        if self._is_the_known_one(wire.identity):
            self._idle.append(wire)
        else:
            wire.close()

    def ask(self, *command: Any) -> Any:
        """The answer to one plain command, on a connection of its own."""
        connection = self._connection()
        try:
            connection.send_command(*command)
            return connection.read_response()
        finally:
            connection.disconnect()

    def _connection(self) -> Any:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection

    def _connect(self) -> Wire:
        return Wire(self._connection(), TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, wire: Wire, commands: Sequence[Command]) -> list[Any]:
        try:
            answers = wire.exchange([(*command, wire.identity) for command in commands])
        except BaseException:
            wire.close()
            raise
        if any(type(answer) is ResponseError for answer in answers):
            wire.close()  # whatever is the matter with it: the next call begins anew
        else:
            self._idle.append(wire)
        if not self._is_the_known_one(wire.identity):
            self.close()
            raise RedisConnectionError("another Redis answers than before")
        return answers


class Topology:
    """The servers behind one REDIS_URL: one, or one for each part of a cluster."""

    def __init__(self, url: str, trust_seconds: float) -> None:
        self.trust_seconds = trust_seconds
        self._location = parse_location(url)
        self._cluster: RedisCluster | None = None
        self._servers: dict[str, Server] = {}

    def server_of(self, key: str) -> Server:
        """The server that holds a key."""
        if self._location.kind == "cluster":
            return self._server_at(self._connected().get_node_from_key(key))
        if "" not in self._servers:
            self._servers[""] = Server(self._pool(), self.trust_seconds)
        return self._servers[""]

    def servers(self) -> list[Server]:
        """Every server that holds keys."""
        if self._location.kind == "cluster":
            return [self._server_at(node) for node in self._connected().get_primaries()]
        return [self.server_of("")]

    def _connected(self) -> RedisCluster:
        if self._cluster is None:
            self._cluster = RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in self._location.hosts],
                redis_connect_func=_identify,
                **self._location.credentials,
                **_options(),
            )
        return self._cluster

    def _server_at(self, node: Any) -> Server:
        if node.name not in self._servers:
            pool = self._connected().get_redis_connection(node).connection_pool
            self._servers[node.name] = Server(pool, self.trust_seconds)
        return self._servers[node.name]

    def learn_anew(self) -> None:
        """A cluster's slots moved: ask it where they are."""
        if self._cluster is not None:
            self._cluster.nodes_manager.initialize()

    def close(self) -> None:
        """Close every idle connection."""
        for server in self._servers.values():
            server.close()

    def _pool(self) -> Any:
        location, options = self._location, {**_options(), "redis_connect_func": _connect}
        if location.kind == "sentinel":
            of_sentinels = {
                name.removeprefix("sentinel_"): value
                for name, value in location.options.items()
                if name.startswith("sentinel_")
            }
            sentinel = Sentinel(
                location.hosts, sentinel_kwargs={**of_sentinels, **location.transport, **_options()}
            )
            master = sentinel.master_for(
                location.service, db=location.database, **location.credentials, **options
            )
            return master.connection_pool
        (host, port) = location.hosts[0]
        return Redis(host, port, db=location.database, **location.credentials, **options).connection_pool


def _options() -> dict[str, Any]:
    return {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def _connect(connection: Any) -> None:
    connection.on_connect()
    _identify(connection)


def _identify(connection: Any) -> None:
    """Learn the run id of the server: a new one each time it starts, another one on each machine.

    A server that evicts keys to make room is refused: it would forget counts and tell nobody.
    """
    server, memory = _info(connection, "server"), _info(connection, "memory")
    if memory.get("maxmemory", "0") != "0" and memory.get("maxmemory_policy") != "noeviction":
        logger.error("limits: Redis evicts keys (maxmemory-policy is not noeviction) and is not used")
        raise RedisConnectionError("this Redis evicts keys")
    connection.server_identity = server["run_id"]


def _info(connection: Any, section: str) -> dict[str, str]:
    connection.send_command("INFO", section)
    answer = connection.read_response()
    text = answer if isinstance(answer, str) else answer.decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@cache
def topology(url: str, trust_seconds: float) -> Topology:
    """This process's connections to a REDIS_URL. A server that takes another's place is believed after so long."""
    return Topology(url, trust_seconds)


os.register_at_fork(after_in_child=topology.cache_clear)  # a socket shared by two processes answers either


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def call_script(known: Topology, script: str, calls: Sequence[Call]) -> list[Any]:
    """Run a script once for each (keys, arguments), all at once where one server holds them all; answers in order.

    Raises one of ERRORS. A script that a server does not have is loaded, a slot that moved is followed.
    """
    answers: list[Any] = [None] * len(calls)
    by_server: dict[Server, list[int]] = {}
    for place, (keys, _) in enumerate(calls):
        by_server.setdefault(known.server_of(keys[0]), []).append(place)
    for server, places in by_server.items():
        found = server.call([_command("EVALSHA", _digest(script), calls[place]) for place in places])
        for place, answer in zip(places, found, strict=True):
            is_error = isinstance(answer, ResponseError)
            answers[place] = _again(known, script, calls[place], answer) if is_error else answer
    return answers


def _command(name: str, script: str, call: Call) -> Command:
    keys, arguments = call
    return (name, script, len(keys), *keys, *arguments)


def _again(known: Topology, script: str, call: Call, error: ResponseError) -> Any:
    if isinstance(error, MovedError):
        known.learn_anew()
    elif not isinstance(error, NoScriptError):
        raise error
    (answer,) = known.server_of(call[0][0]).call([_command("EVAL", script, call)])
    if isinstance(answer, ResponseError):
        raise answer
    return answer
