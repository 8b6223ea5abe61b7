"""What the limiter's script and Redis say to each other: RESP, as far as the script speaks it."""

import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from throttling.turns import Away, Store

ANSWER_BYTES = 8192
ELSEWHERE = frozenset({"READONLY", "LOADING", "MASTERDOWN", "NOAUTH"})
Command = tuple[Any, ...]
_redis = Store()  # of all servers


class Wire:
    """A connection that redis-py has made, and speaks no more: the script's calls leave in one piece.

    The kernel keeps the time-outs where it can. A socket with a time-out of Python's waits by a system call of its own
    before each call, and gives up Python's lock each time: five times for one exchange, where twice will do.
    """

    def __init__(self, connection: Any, timeout_seconds: float) -> None:
        self.identity: str = connection.server_identity
        self.opened_at = time.monotonic()
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._socket: socket.socket = connection._sock  # redis-py has no other way to it
        if not isinstance(self._socket, ssl.SSLSocket):  # to whom a time-out of the kernel's says: try again
            seconds, rest = divmod(timeout_seconds, 1)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                value = struct.pack("@ll", int(seconds), int(1_000_000 * rest))
                self._socket.setsockopt(socket.SOL_SOCKET, option, value)
            self._socket.settimeout(None)

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands; a refusal stands in its place as the exception that it is.

        Raises RedisTimeoutError, and RedisConnectionError for whatever else ends the conversation.
        """
        give_up_at = time.monotonic() + self._timeout_seconds
        try:
            with Away(_redis):
                self._socket.sendall(b"".join(map(_pack, commands)))
                return self._read(len(commands), give_up_at)
        except (TimeoutError, BlockingIOError) as error:
            raise RedisTimeoutError("Redis does not answer in time") from error
        except (OSError, ValueError) as error:
            raise RedisConnectionError("the connection to Redis broke") from error

    def _read(self, count: int, give_up_at: float) -> list[Any]:
        """A time-out of the socket begins anew with each piece: of pieces none is waited for after `give_up_at`."""
        answers: list[Any] = []
        received, at = b"", 0
        while len(answers) < count:
            found = _take(received, at)
            if found:
                answers.append(found[0])
                at = found[1]
                continue
            if received and time.monotonic() > give_up_at:
                raise TimeoutError
            more = self._socket.recv(ANSWER_BYTES)
            if not more:
                raise RedisConnectionError("Redis closed the connection")
            received += more
        if at != len(received):
            raise RedisConnectionError("more answers than there were calls")
        return answers

    def close(self) -> None:
        """Close it; nothing is said of errors."""
        self._connection.disconnect()


def _pack(command: Command) -> bytes:
    """A command on the wire (RESP). redis-py's own takes longer than the script runs."""
    packed = [b"*%d\r\n" % len(command)]
    for word in command:
        text = word if type(word) is bytes else str(word).encode()
        packed.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(packed)


def _take(received: bytes, at: int) -> tuple[Any, int] | None:
    """The answer that begins at a place, and where it ends; None while some of it is missing."""
    end = received.find(b"\r\n", at)
    if end < 0:
        return None
    kind, word, begin = received[at : at + 1], received[at + 1 : end], end + 2
    if kind == b"-":
        return _refusal(word.decode()), begin
    if kind != b"$" or not word.isdigit():
        raise RedisConnectionError("an answer that the script does not give")
    end = begin + int(word)
    if len(received) < end + 2:
        return None
    if received[end : end + 2] != b"\r\n":
        raise RedisConnectionError("an answer of another length than it says")
    return received[begin:end], end + 2


def _refusal(text: str) -> ResponseError:
    """As an exception. A server that cannot serve now ends the conversation: another may have taken its place."""
    kind, _, rest = text.partition(" ")
    if kind in ELSEWHERE:
        raise RedisConnectionError(kind)
    if kind == "MOVED":
        return MovedError(rest)
    return NoScriptError(rest) if kind == "NOSCRIPT" else ResponseError(text)
