"""WebSockets as LXD speaks them, over a pair of sockets."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest

from lab.lxd.websocket import Kind, NotAWebSocket, WebSocket, accepted, frame, masked


@pytest.fixture
def ends() -> tuple[WebSocket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    return WebSocket(ours), theirs


def served(payload: bytes, kind: int = 2, *, final: bool = True) -> bytes:
    """A frame as a server sends it: without a mask."""
    first = (0x80 if final else 0) | kind
    if len(payload) < 126:
        return struct.pack(">BB", first, len(payload)) + payload
    if len(payload) < 1 << 16:
        return struct.pack(">BBH", first, 126, len(payload)) + payload
    return struct.pack(">BBQ", first, 127, len(payload)) + payload


def test_the_key_of_the_specification() -> None:
    assert accepted("dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_frames_of_every_length_and_the_mask() -> None:
    # RFC 6455, 5.7: a masked "Hello".
    mask = bytes.fromhex("37fa213d")
    assert frame(b"Hello", Kind.TEXT, mask).hex() == "818537fa213d7f9f4d5158"
    for size, head in ((125, 2), (126, 4), (65535, 4), (65536, 10)):
        content = os.urandom(size)
        made = frame(content, Kind.BINARY, mask)
        assert len(made) == head + 4 + size
        assert masked(made[head + 4 :], mask) == content
    assert frame(b"", Kind.TEXT, mask) == b"\x81\x80" + mask


def test_it_begins_with_what_came_behind_the_answer(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends

    def serve() -> None:
        asked = theirs.recv(4096).decode()
        key = asked.partition("Sec-WebSocket-Key: ")[2].split("\r\n")[0]
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Accept: {accepted(key).decode()}\r\n\r\n"
        )
        theirs.sendall(head.encode() + served(b"early"))

    server = threading.Thread(target=serve)
    server.start()
    ours.begin("lab1", "/1.0/operations/x/websocket?secret=s")
    server.join()
    assert ours.receive() == b"early"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_another_protocol_is_told(ends: tuple[WebSocket, socket.socket], answer: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(NotAWebSocket):
        ours.begin("lab1", "/x")


def test_pieces_come_as_they_are_and_pings_are_answered(
    ends: tuple[WebSocket, socket.socket],
) -> None:
    ours, theirs = ends
    large = os.urandom(300_000)
    sender = threading.Thread(
        target=theirs.sendall,
        args=(
            served(b"one ", final=False)
            + served(b"alive?", Kind.PING)
            + served(b"two", Kind.CONTINUED)
            + served(b"", Kind.PONG)
            + served(large)
            + served(b"", Kind.TEXT),
        ),
    )
    sender.start()
    assert [ours.receive(), ours.receive(), ours.receive()] == [b"one ", b"two", large]
    assert ours.receive() is None
    sender.join()
    pong = theirs.recv(100)
    assert pong[0] == 0x80 | Kind.PONG
    assert masked(pong[6:], pong[2:6]) == b"alive?"


@pytest.mark.parametrize("left", [b"", b"\x82", served(b"four")[:-1], served(b"", 8), b"\x83\x00"])
def test_the_end_of_the_connection_is_the_end(
    ends: tuple[WebSocket, socket.socket], left: bytes
) -> None:
    ours, theirs = ends
    theirs.sendall(left)
    theirs.close()
    assert ours.receive() is None


def test_who_waits_is_let_go_by_a_close(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, _ = ends
    heard: list[bytes | None] = []
    waiting = threading.Thread(target=lambda: heard.append(ours.receive()))
    waiting.start()
    ours.close()
    waiting.join(10)
    assert heard == [None]


def test_both_ways_at_once_with_more_than_the_kernel_keeps(
    ends: tuple[WebSocket, socket.socket],
) -> None:
    ours, theirs = ends
    content = os.urandom(5 << 20)
    arrived = bytearray()

    def echo() -> None:
        while len(arrived) < len(content) + 14:
            arrived.extend(theirs.recv(1 << 16))
        theirs.sendall(served(content))

    server = threading.Thread(target=echo)
    server.start()
    ours.send(content)
    assert ours.receive() == content
    server.join()
    assert masked(bytes(arrived[14:]), bytes(arrived[10:14])) == content
