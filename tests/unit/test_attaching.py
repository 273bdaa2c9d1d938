"""A command whose operation has ended before it has all its WebSockets."""

from __future__ import annotations

import os
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from lab.errors import LxdError
from lab.lxd import transport
from lab.machine.terminal import Streams
from tests.support.builders.wired import client_at

URL = "https://lab.example:8443"
HELLO = {"auth": "trusted", "environment": {}, "api_extensions": []}
pytestmark = pytest.mark.usefixtures("server")
BEGUN = {"id": "op", "class": "websocket", "status_code": 103}
SECRETS = {"fds": {"0": "a", "1": "b", "2": "c", "control": "d"}}


class Refusing:
    """Connections to a server that opens no WebSocket, and what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, *_: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def _serve(self, theirs: socket.socket) -> None:
        self.asked.append(theirs.recv(4096).decode().splitlines()[0])
        theirs.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Refusing:
    made = Refusing()
    monkeypatch.setattr(transport, "dial", made)
    return made


def attached(ends: dict[str, Any]) -> int:
    """The exit code of a command whose operation ENDS so."""
    operation = BEGUN | {"metadata": SECRETS}
    with requests_mock.Mocker() as http, Path(os.devnull).open("r+b") as nothing:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.post(
            f"{URL}/1.0/instances/bob/exec",
            status_code=202,
            json={"type": "async", "operation": "/1.0/operations/op", "metadata": operation},
        )
        http.get(
            re.compile("/1.0/operations/op/wait"), json={"type": "sync", "metadata": BEGUN | ends}
        )
        lxd = client_at(URL)
        file = nothing.fileno()
        return lxd.attach("bob", ["id"], Streams(stdin=file, stdout=file, stderr=file))


def test_the_operation_s_own_error_is_told() -> None:
    ends = {"status_code": 400, "err": "Instance is not running"}
    with pytest.raises(LxdError) as error:
        attached(ends)
    assert error.value.brief == "LXD could not run id in bob."
    assert error.value.details == "Instance is not running"


def test_its_exit_code_is_an_answer() -> None:
    ends = {"status_code": 400, "err": "Command not found", "metadata": {"return": 127}}
    assert attached(ends) == 127


def test_of_one_that_goes_on_the_refusal_is_told() -> None:
    with pytest.raises(LxdError) as error:
        attached({"status_code": 103})
    assert error.value.details == "It opened no WebSocket: HTTP 500 Internal Server Error"


def test_what_tells_it_of_signals_is_there_before_it_can_begin(server: Refusing) -> None:
    with pytest.raises(LxdError):
        attached({"status_code": 400, "err": "Instance is not running"})
    assert server.asked == ["GET /1.0/operations/op/websocket?secret=d HTTP/1.1"]
