"""What the limiter's script and Redis say to each other: RESP, as far as the script speaks it."""

import socket
import ssl
import struct
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

ANSWER_BYTES = 8192
Command = tuple[Any, ...]


class Wire:
    """A connection that redis-py has made, and speaks no more: the script's calls leave in one piece.

    The kernel keeps the time-outs where it can. A socket with a time-out of Python's waits by a system call of its own
    before each call, and gives up Python's lock each time: five times for one exchange, where twice will do.
    """

    def __init__(self, connection: Any, timeout_seconds: float) -> None:
        self.identity: str = connection.server_identity
        self._connection = connection
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
        try:
            self._socket.sendall(b"".join(map(_pack, commands)))
            return self._read(len(commands))
        except (TimeoutError, BlockingIOError) as error:
            raise RedisTimeoutError("Redis does not answer in time") from error
        except (OSError, ValueError) as error:
            raise RedisConnectionError("the connection to Redis broke") from error

    def _read(self, count: int) -> list[Any]:
        answers: list[Any] = []
        received, at = b"", 0
        while len(answers) < count:
            end = received.find(b"\r\n", at)
            kind, word, begin = received[at : at + 1], received[at + 1 : end], end + 2
            size = int(word) if end >= 0 and kind == b"$" else 0
            if end >= 0 and kind == b"-":
                answers.append(_refusal(word.decode()))
                at = begin
            elif end >= 0 and (kind != b"$" or size < 0):
                raise RedisConnectionError("an answer that the script does not give")
            elif end >= 0 and len(received) >= begin + size + 2:
                answers.append(received[begin : begin + size].decode())
                at = begin + size + 2
            else:
                more = self._socket.recv(ANSWER_BYTES)
                if not more:
                    raise RedisConnectionError("Redis closed the connection")
                received += more
        return answers

    def close(self) -> None:
        """Close it; nothing is said of errors."""
        self._connection.disconnect()


def _pack(command: Command) -> bytes:
    """A command on the wire (RESP). redis-py's own takes longer than the script runs."""
    words = [str(word).encode() for word in command]
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))


def _refusal(text: str) -> ResponseError:
    kind, _, rest = text.partition(" ")
    if kind == "MOVED":
        return MovedError(rest)
    return NoScriptError(rest) if kind == "NOSCRIPT" else ResponseError(text)
