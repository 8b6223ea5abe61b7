"""Connections of the web server: HTTP as waitress speaks it, with refusals and time limits of this service.

Refuses: heads over 16 KiB, bodies over 1 MiB (the middleware refuses at 64 KiB; up to here the client can
still read that answer), and requests that take longer than READ_SECONDS to arrive. A streamed answer does hold a
thread: at most OUTPUT_BYTES of it wait in memory. A client that takes nothing for SEND_SECONDS is cut off, and one that
takes so little that the thread has waited that long to hand over a part.
Answers that are read slowly have WAITING_BYTES of a worker's memory between them.
"""

import time
from typing import Any

from django.conf import settings
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer, ReadOnlyFileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from secure_auth.balance import Balance
from secure_auth.framing import BODY_BYTES, RequestParser
from secure_auth.stopping import let_nobody_begin
from secure_auth.tasks import ProblemTask, Task

HEAD_BYTES = 16 * 1024
OUTPUT_BYTES = 1024 * 1024
WAITING_BYTES = 64 * 1024 * 1024
READ_SECONDS = 15
SEND_SECONDS = 60
IDLE_SECONDS = 30
GRACEFUL_SECONDS = 5  # for answers that are under way when the server stops
LAST_SECONDS = 1.0  # for requests that are on their way then
CONNECTIONS = 1000
YIELDS = 10
LOOK_SECONDS = 0.001


class Channel(HTTPChannel):
    """A connection: one request at a time, and what comes behind it waits unread until the answer has left.

    So who sends many requests and reads no answers holds no thread, and not more than one answer in memory.
    """

    parser_class = RequestParser
    task_class = Task
    error_task_class = ProblemTask
    request: RequestParser | None
    sent_continue: bool
    arriving_since = 0.0
    behind = b""  # bytes that came behind a request: at most what was read at once
    held_bytes = 0  # of what is not sent: waitress keeps all of a part until its last byte has left
    writing_since = 0.0  # since when a thread hands over a part of an answer

    def __init__(self, server: "Server", *arguments: Any, **named: Any) -> None:
        super().__init__(server, *arguments, **named)
        self.server = ServerOf(self, server)

    def received(self, data: bytes) -> bool:
        """Called by the loop: what it read, which may end one request and begin others."""
        with self.requests_lock:
            if self.will_close or self.close_when_flushed:
                return False
            self.behind += data
            self._take_up()
        return True

    def writable(self) -> bool:
        """Called by the loop before it waits. Who was cut off in this round, nothing is waited for.

        The loop would be told that the number is closed, and close whoever was accepted under it meanwhile. Nor is it
        waited for what a thread sends just now: it could be sent at any moment but not by the loop, which would look
        again and again, and take the thread's processor. What the thread cannot send it tells the loop of.
        """
        return self.connected and not self._is_being_sent() and bool(super().writable())

    def readable(self) -> bool:
        """Called by the loop before it waits: whether to wait for more from here."""
        if not self.connected:
            return False
        if self.behind:
            with self.requests_lock:
                is_idle = not self.requests
                self._take_up()
                is_new = is_idle and bool(self.requests)
            if is_new:
                self.server.wake()  # to look whose turn it is: no event follows this
        return not self.behind and bool(super().readable())

    def _take_up(self) -> None:
        """Read on until one request is whole; not before the answer to the last one has left."""
        while self.behind and not (self.requests or self.total_outbufs_len or self.close_when_flushed):
            if self.request is None:
                self.request = self.parser_class(self.adj)
                self.arriving_since = time.time()
            taken = self.request.received(self.behind)
            self.behind = self.behind[taken:]
            if self._is_waited_for(self.request):
                self.send_continue()
            if self.request.completed:
                self.sent_continue = False
                request, self.request = self.request, None
                if not request.empty:
                    self.requests.append(request)
                    self.server.add_task(self)

    def write_soon(self, data: Any) -> int:
        """Called by a thread: a part of an answer. A file waits on its disk."""
        if not isinstance(data, ReadOnlyFileBasedBuffer):
            self.held_bytes = max(self.held_bytes, self.total_outbufs_len + len(data))
        self.writing_since = time.time()
        try:
            taken = int(super().write_soon(data))
        finally:
            self.writing_since = 0.0
        if self.held_bytes:
            self.server.note_waiting()
        if self.total_outbufs_len:
            self.server.wake()  # waitress woke it while this thread held the lock: too early, see writable()
        return taken

    def _is_being_sent(self) -> bool:
        """Whether a thread holds the lock of its answer; above OUTPUT_BYTES one may wait for the loop instead."""
        ends = self.will_close or self.close_when_flushed
        if ends or not 0 < self.total_outbufs_len <= OUTPUT_BYTES:
            return False
        if self.outbuf_lock.acquire(blocking=False):
            self.outbuf_lock.release()
            return False
        return True

    def is_stuck(self, now: float) -> bool:
        """Whether its client takes too little: one that reads byte by byte would hold a thread for hours."""
        moved_at = min(self.last_activity, self.writing_since or now)
        return bool(self.total_outbufs_len) and moved_at < now - SEND_SECONDS

    def _flush_some(self, do_close: bool = True) -> bool:
        """Of what has left nothing is kept: a client that is idle holds no answer."""
        has_sent = bool(super()._flush_some(do_close=do_close))
        if self.held_bytes and not self.total_outbufs_len:
            self.held_bytes = 0
            self.outbufs[:] = [OverflowableBuffer(self.adj.outbuf_overflow)]
        return has_sent

    def _is_waited_for(self, request: RequestParser) -> bool:
        """Whether its client holds the body back until it is asked for; of what is refused already nothing more is."""
        asked = request.expect_continue and request.headers_finished and not self.sent_continue
        return bool(asked and not request.error)


class ServerOf:
    """The server as a channel sees it: its loop is woken for what it does not wait for already.

    The loop waits for the next request of a channel while one is served. To wake it after each answer costs more than
    reading a request does.
    """

    def __init__(self, channel: Channel, server: "Server") -> None:
        self._channel, self._server = channel, server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def wake(self) -> None:
        """Whatever the loop waits for."""
        self._server.pull_trigger()

    def pull_trigger(self) -> None:
        """Something is left to send, to close, or to read of what came already."""
        channel = self._channel
        if channel.total_outbufs_len or channel.behind or channel.will_close or channel.close_when_flushed:
            self._server.pull_trigger()


class Server(TcpWSGIServer):
    """Closes connections that are idle, and those whose request does not arrive in time.

    A new one is left to a worker that holds fewer, for YIELDS looks at most: that one may be stopped, or stuck.
    """

    channel_class = Channel
    balance: Balance
    place: int | None = None
    _yields = 0
    _yielding_until = 0.0
    _was_offered = False
    _more_waits = False
    is_stopping = False

    def readable(self) -> bool:
        """Called by the loop before it waits: whether to wait for new connections."""
        self.balance.tell(self.place, len(self.active_channels))
        if self._more_waits:
            self._more_waits = False
            self._make_room()
        takes = bool(super().readable())
        if self.is_yielding():
            return False
        if not self._was_offered:
            self._yields = 0  # who holds fewer took it
        self._was_offered = False
        return takes

    def is_yielding(self) -> bool:
        """Whether the loop should look again in LOOK_SECONDS."""
        return time.monotonic() < self._yielding_until

    def handle_accept(self) -> None:
        """Called by the loop: there is a new connection."""
        self._was_offered = True
        if self._yields < YIELDS and self.balance.is_ahead(self.place):
            self._yields += 1
            self._yielding_until = time.monotonic() + LOOK_SECONDS
            return
        self._yields = 0
        super().handle_accept()

    def stop_listening(self) -> None:
        """Take who is connected already, and let nobody else connect.

        Who comes later is refused, and may ask another node whatever the request was: a proxy sends none again
        that met a reset. The answers from now on end their connections.
        """
        self.is_stopping = True
        let_nobody_begin(self.socket)
        held = -1
        while held < len(self.active_channels) < CONNECTIONS:
            held = len(self.active_channels)
            super().handle_accept()
        self.del_channel()
        self.socket.close()

    def maintenance(self, now: float) -> None:
        """Called by waitress every `cleanup_interval` seconds."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.request is not None and channel.arriving_since < now - READ_SECONDS:
                channel.will_close = True
            if channel.is_stuck(now):
                channel.handle_close()  # its socket is not writable: nothing else would ever look at it again

    def note_waiting(self) -> None:
        """Called by a thread: more of an answer waits in memory, and the loop is to look how much that is in all."""
        self._more_waits = True

    def _make_room(self) -> None:
        """Cut off those who have read longest at a whole answer, until all hold no more than WAITING_BYTES.

        Else a thousand clients that read a byte now and then would have half a gigabyte for as long as they like.
        """
        waiting = [channel for channel in self.active_channels.values() if channel.held_bytes]
        held = sum(channel.held_bytes for channel in waiting)
        for channel in sorted(waiting, key=lambda one: one.arriving_since) if held > WAITING_BYTES else ():
            if held > WAITING_BYTES and not channel.requests:
                held -= channel.held_bytes
                channel.handle_close()

    def is_needed(self, stopping_seconds: float, looking_seconds: float) -> bool:
        """Whether an answer is still being made or sent, or a request may be on its way.

        A client that was answered just before the stop does not know of it, and has LAST_SECONDS to ask once more: of
        those in which this process ran and looked, for in a pause of the whole machine no client can ask.
        """
        if stopping_seconds >= GRACEFUL_SECONDS:
            return False
        if looking_seconds < LAST_SECONDS:
            return bool(self.active_channels)
        return any(one.requests or one.total_outbufs_len for one in self.active_channels.values())


def adjustments() -> Adjustments:
    """waitress's settings."""
    return Adjustments(
        ident=None,
        threads=settings.SERVER_THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=HEAD_BYTES,
        max_request_body_size=BODY_BYTES,
        inbuf_overflow=2 * BODY_BYTES,  # bodies stay in memory: they hold passwords
        outbuf_overflow=64 * BODY_BYTES,
        outbuf_high_watermark=OUTPUT_BYTES,
        channel_request_lookahead=1,  # or nobody notices that the client of a long answer has hung up
        clear_untrusted_proxy_headers=False,
        log_socket_errors=False,
        server_name="localhost",
    )
