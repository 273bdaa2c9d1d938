"""A server that takes its time to read what is sent to it: a busy disk is no lost connection."""

from __future__ import annotations

import http.server
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from lab.lxd.session import socket_endpoint, socket_session, tls_session
from tests.support.certificates import make_pair

PAUSE = 0.6
"""Seconds: longer than the time-outs of connecting and reading below."""
TIMEOUTS = (0.2, 0.3)
BODY = b"x" * (8 << 20)
"""More than the buffers of a socket take."""


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return ""

    def do_POST(self) -> None:
        time.sleep(PAUSE)
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        said = str(size).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(params=["socket", "TLS"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[requests.Session, str]]:
    """A session with it, and its URL."""
    if request.param == "socket":
        path = tmp_path / "unix.socket"
        slow = socketserver.ThreadingUnixStreamServer(str(path), Slow)
        with _serving(slow), socket_session() as session:
            yield session, socket_endpoint(path)
        return
    pair = make_pair(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    with _serving(listener), tls_session(None, pair.certificate) as session:
        yield session, f"https://127.0.0.1:{listener.server_port}"


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_sent_may_take_longer_than_connecting_and_answering(
    server: tuple[requests.Session, str],
) -> None:
    session, url = server
    for _ in range(2):  # the second time over the same connection
        answer = session.post(f"{url}/1.0/images", data=BODY, timeout=TIMEOUTS)
        assert int(answer.text) == len(BODY)
