"""Files from a server that never ends, trickles, or falls silent in the middle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import LxdSilent, TooMuch
from lab.lxd.contents import Contents
from lab.lxd.errors import Place
from lab.lxd.session import socket_endpoint, socket_session
from lab.lxd.transport import handshake

HELLO = (
    b'{"type": "sync", "status_code": 200,'
    b' "metadata": {"auth": "trusted", "environment": {}, "api_extensions": []}}'
)
HEAD = b"HTTP/1.1 200 OK\r\n"
Body = Callable[[socket.socket, threading.Event], None]


@contextmanager
def lxd(tmp_path: Path, body: Body) -> Iterator[Contents]:
    """A daemon that greets well, and answers whatever comes next with BODY."""
    path, over = tmp_path / "unix.socket", threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                for number in range(2):
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        asked += connection.recv(4096)
                    if number == 0:
                        length = f"Content-Length: {len(HELLO)}\r\n\r\n".encode()
                        connection.sendall(HEAD + length + HELLO)
                    else:
                        body(connection, over)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Contents(handshake(Place(socket=path), socket_endpoint(path), socket_session()))
        finally:
            over.set()
            thread.join()


def endless(connection: socket.socket, over: threading.Event) -> None:
    """Without a length: until it hangs up."""
    try:
        connection.sendall(HEAD + b"\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 4096)
    except OSError:
        pass


def trickling(connection: socket.socket, over: threading.Event) -> None:
    try:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"1\r\nx\r\n")
    except OSError:
        pass


def filling(connection: socket.socket, over: threading.Event) -> None:
    try:
        connection.sendall(HEAD + b"Content-Length: 9999\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"x")
    except OSError:
        pass


def silent(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 9\r\n\r\nx")
    over.wait(30)


def mute(_connection: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def announced(connection: socket.socket, _over: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 322122547200\r\n\r\n")


@pytest.mark.parametrize("body", [endless, announced])
def test_no_more_is_read_than_was_asked_for(tmp_path: Path, body: Body) -> None:
    with lxd(tmp_path, body) as contents, pytest.raises(TooMuch) as caught:
        contents.content("x", what="read /x in bob", most=10_000)
    assert str(caught.value) == "LXD could not read /x in bob: it is larger than 9.8 KiB."


@pytest.mark.parametrize("body", [trickling, filling, silent, mute])
def test_what_takes_too_long_is_given_up(tmp_path: Path, body: Body) -> None:
    with lxd(tmp_path, body) as contents, pytest.raises(LxdSilent) as caught:
        contents.content("x", what="read /x in bob", read_timeout=0.4)
    assert "The request was to read /x in bob." in str(caught.value)


def test_the_beginning_of_an_endless_output_is_had(tmp_path: Path) -> None:
    with lxd(tmp_path, endless) as contents:
        assert contents.tail("x", 0, 10) == b"x" * 10
