"""Tell snapd of a proxy, whose URL is read from stdin.

`snap set system proxy.http=URL` would show its password to every account of the machine.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from typing import Any, Final

SNAPD: Final = "/run/snapd.socket"
_SECONDS: Final = 60.0


class Snapd(http.client.HTTPConnection):
    """Its REST API: snapcraft.io/docs/snapd-api."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        self.request(method, path, None if body is None else json.dumps(body))
        return json.loads(self.getresponse().read())


def use_proxy(proxy: str, path: str = SNAPD) -> str:
    """What went wrong, in snapd's words; empty when it uses PROXY."""
    snapd = Snapd(path)
    wanted = {"proxy.http": proxy, "proxy.https": proxy}
    answer = snapd.ask("PUT", "/v2/snaps/system/conf", wanted)
    if answer.get("type") != "async":
        return str(answer.get("result", {}).get("message", answer))
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        change = snapd.ask("GET", f"/v2/changes/{answer['change']}")["result"]
        if change["ready"]:
            return "" if change["status"] == "Done" else str(change.get("err", change["status"]))
        time.sleep(0.2)
    return f"no end in {_SECONDS:.0f} s"


if __name__ == "__main__":
    if refused := use_proxy(sys.stdin.read().strip()):
        sys.exit(f"snapd does not take the proxy: {refused}")
