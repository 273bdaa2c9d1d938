"""snapd is told of the proxy by its API, where no other account sees the password."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci.snap_proxy import use_proxy

PROXY = "http://zhang:p%40ss@proxy.lab:3128"
Answer = Callable[[str, str, Any], Any]


@contextmanager
def snapd(path: Path, answer: Answer) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return ""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = json.dumps(answer(self.command, self.path, json.loads(body or "null")))
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(path)
        server.shutdown()


def test_it_is_set_and_waited_for(tmp_path: Path) -> None:
    asked = []

    def answer(*what: Any) -> Any:
        asked.append(what)
        if what[0] == "PUT":
            return {"type": "async", "change": "7"}
        ready = len(asked) > 2
        return {"result": {"ready": ready, "status": "Done" if ready else "Doing"}}

    with snapd(tmp_path / "socket", answer) as path:
        assert use_proxy(PROXY, path) == ""
    wanted = {"proxy.http": PROXY, "proxy.https": PROXY}
    assert asked[0] == ("PUT", "/v2/snaps/system/conf", wanted)
    assert asked[1:] == [("GET", "/v2/changes/7", None)] * 2


def test_a_refusal_is_told(tmp_path: Path) -> None:
    def answer(*_: Any) -> Any:
        return {"type": "error", "result": {"message": "access denied"}}

    with snapd(tmp_path / "socket", answer) as path:
        assert use_proxy(PROXY, path) == "access denied"


def test_a_failed_change_is_told(tmp_path: Path) -> None:
    def answer(method: str, *_: Any) -> Any:
        if method == "PUT":
            return {"type": "async", "change": "7"}
        return {"result": {"ready": True, "status": "Error", "err": "cannot set it"}}

    with snapd(tmp_path / "socket", answer) as path:
        assert use_proxy(PROXY, path) == "cannot set it"
