"""A proxy that lets nobody through without its user and password."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import requests

from tests.support.live_lab.aptrepo import bridge_address

USER = "zhang"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthProxy:
    url: str
    """With user and password, as in lab.yaml."""
    asked: list[str]
    """What was asked for with them."""


class _Guard(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, wanted: str, asked: list[str]) -> None:
        self._wanted = wanted
        self._asked = asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.headers.get("Proxy-Authorization") != self._wanted:
            self._answer(407, b"")
            return
        self._asked.append(self.path)
        found = requests.get(self.path, timeout=60, headers={"Accept-Encoding": "identity"})
        self._answer(found.status_code, found.content if found.ok else b"")

    def _answer(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def auth_proxy(password: str) -> Iterator[AuthProxy]:
    """One that containers reach."""
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    asked: list[str] = []
    handler = partial(_Guard, wanted=f"Basic {login}", asked=asked)
    address = bridge_address()
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{USER}:{quote(password, safe='')}@{address}:{server.server_port}"
        yield AuthProxy(url=url, asked=asked)
        server.shutdown()
