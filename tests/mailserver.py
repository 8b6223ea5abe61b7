"""A mail server (RFC 5321) whose recipients decide what it says, and a provider's API of the same kind."""

import contextlib
import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_SECONDS = 3.0


@dataclass
class MailServer:
    """What came. The local part of a recipient rules: `busy…` is put off once, `full…` and `nobody…` are refused,
    `spam…` after the message, `slow…` is answered late.
    """

    port: int = 0
    takes_utf8: bool = True  # RFC 6531
    messages: list[EmailMessage] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in list(self.messages) if message["To"] == address]

    def answer_recipient(self, address: str) -> str:
        self.asked.append(address)
        if address.startswith("slow"):
            time.sleep(SLOW_SECONDS)
        if address.startswith("busy") and self.asked.count(address) == 1:
            return "451 4.7.1 greylisted, come again"
        if address.startswith("full"):
            return "452 4.2.2 mailbox full"
        return "550 5.1.1 no such user" if address.startswith("nobody") else "250 ok"

    def take(self, recipient: str, data: bytes) -> str:
        if recipient.startswith("spam"):
            return "554 5.7.1 not that"
        self.messages.append(email.message_from_bytes(data, policy=email.policy.default))
        return "250 taken"


@contextlib.contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """On a free port."""
    mail = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            recipient = ""
            self.say("220 tests ESMTP")
            while line := self.rfile.readline().decode().strip():
                command = line.upper()
                if command.startswith("EHLO") and mail.takes_utf8:
                    self.say("250-tests")
                    self.say("250-8BITMIME")
                    self.say("250 SMTPUTF8")
                elif command.startswith("RCPT"):
                    recipient = line.partition("<")[2].partition(">")[0]
                    self.say(mail.answer_recipient(recipient))
                elif command == "DATA":
                    self.say("354 go on")
                    self.say(mail.take(recipient, b"".join(iter(self.rfile.readline, b".\r\n"))))
                else:
                    self.say("221 bye" if command == "QUIT" else "250 ok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield mail
        server.shutdown()
        thread.join()


@dataclass
class Provider:
    """Postmark's API, as far as one mail needs it. Recipients `nobody…` are refused, `odd…` too but unclearly,
    `busy…` once with 503."""

    port: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"postmark://a-server-token@?api_url=http://127.0.0.1:{self.port}/"

    def to(self, address: str) -> list[dict[str, Any]]:
        return [one for one in list(self.sent) if address in one["To"]]


@contextlib.contextmanager
def running_provider() -> Iterator[Provider]:
    """On a free port."""
    provider, asked = Provider(), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            provider.keys.append(self.headers["X-Postmark-Server-Token"])
            to = sent["To"]
            asked.append(to)
            if to.startswith("busy") and asked.count(to) == 1:
                self.answer(503, {"Message": "away"})
            elif to.startswith("nobody"):
                self.refuse(f"Error parsing 'To': Illegal email domain 'example.org' in address '{to}'.")
            elif to.startswith("odd"):
                self.refuse("Error parsing 'To': of a kind that nobody knows")
            else:
                provider.sent.append(sent)
                self.answer(200, {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a", "To": to})

        def refuse(self, message: str) -> None:
            self.answer(422, {"ErrorCode": 300, "Message": message})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
