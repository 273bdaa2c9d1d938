"""Servers on this machine that messages are sent to: one of HTTP, one of SMTP (RFC 5321)."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    port: int = 0
    documents: list[dict[str, Any]] = field(default_factory=list)
    mails: list[tuple[str, Message]] = field(default_factory=list)
    """To whom, and what."""


@contextmanager
def http_server(*, status: int = 200, silent: threading.Event | None = None) -> Iterator[Received]:
    """Answers with STATUS; while SILENT is not set, not at all."""
    received = Received()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if silent is not None:
                silent.wait(30)
                return
            received.documents.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        received.port = server.server_address[1]
        with _serving(server):
            yield received


@contextmanager
def smtp_server() -> Iterator[Received]:
    """Takes every mail, without a login."""
    received = Received()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say(220, "sink")
            to = ""
            while line := self.rfile.readline().decode().strip():
                word = line.split(" ")[0].upper()
                if word == "RCPT":
                    to = line.partition("<")[2].partition(">")[0]
                if word == "DATA":
                    self._say(354, "go on")
                    received.mails.append((to, message_from_bytes(self._data(), policy=default)))
                self._say(221 if word == "QUIT" else 250, "ok")
                if word == "QUIT":
                    return

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, code: int, text: str) -> None:
            self.wfile.write(f"{code} {text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        received.port = server.server_address[1]
        with _serving(server):
            yield received


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
