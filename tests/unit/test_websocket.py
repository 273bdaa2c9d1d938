"""WebSockets as LXD speaks them, over a pair of sockets."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
from websockets.frames import Opcode
from websockets.utils import accept_key

from lab.lxd.websocket import NotAWebSocket, WebSocket


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


def masked(payload: bytes, mask: bytes) -> bytes:
    """RFC 6455, 5.3."""
    return bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


def begun(ours: WebSocket, theirs: socket.socket, behind: bytes = b"") -> None:
    """OURS, once THEIRS has answered as a server; BEHIND comes with the answer."""

    def serve() -> None:
        asked = theirs.recv(4096).decode()
        assert asked.startswith("GET /1.0/operations/x/websocket?secret=s HTTP/1.1")
        key = asked.partition("Sec-WebSocket-Key: ")[2].split("\r\n")[0]
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        )
        theirs.sendall(head.encode() + behind)

    server = threading.Thread(target=serve)
    server.start()
    ours.begin("lab1", "/1.0/operations/x/websocket?secret=s")
    server.join()


def test_it_begins_with_what_came_behind_the_answer(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends

    begun(ours, theirs, served(b"early"))
    assert ours.receive() == b"early"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: wrong\r\n\r\n",
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
    begun(ours, theirs)
    large = os.urandom(300_000)
    sender = threading.Thread(
        target=theirs.sendall,
        args=(
            served(b"one ", final=False)
            + served(b"alive?", Opcode.PING)
            + served(b"two", Opcode.CONT)
            + served(b"", Opcode.PONG)
            + served(large)
            + served(b"", Opcode.TEXT),
        ),
    )
    sender.start()
    assert [ours.receive(), ours.receive(), ours.receive()] == [b"one ", b"two", large]
    assert ours.receive() is None
    sender.join()
    pong = theirs.recv(100)
    assert pong[0] == 0x80 | Opcode.PONG
    assert masked(pong[6:], pong[2:6]) == b"alive?"


@pytest.mark.parametrize("left", [b"", b"\x82", served(b"four")[:-1], served(b"", 8), b"\x83\x00"])
def test_the_end_of_the_connection_is_the_end(
    ends: tuple[WebSocket, socket.socket], left: bytes
) -> None:
    ours, theirs = ends
    begun(ours, theirs)
    theirs.sendall(left)
    theirs.close()
    assert ours.receive() is None


def test_who_waits_is_let_go_by_a_close(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    begun(ours, theirs)
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
    begun(ours, theirs)
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


def test_what_came_before_the_other_side_hung_up_is_read(
    ends: tuple[WebSocket, socket.socket],
) -> None:
    ours, theirs = ends
    begun(ours, theirs)
    theirs.sendall(served(b"ping?", Opcode.PING) + served(b"last words"))
    theirs.close()
    assert [ours.receive(), ours.receive()] == [b"last words", None]
    with pytest.raises(OSError, match=r"."):
        ours.send(b"too late")


def test_the_end_of_what_is_sent_is_told(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    begun(ours, theirs)
    ours.send_text("")
    ours.say_goodbye()
    sent = theirs.recv(100)
    assert (sent[0], sent[1]) == (0x80 | Opcode.TEXT, 0x80)
    assert sent[6] == 0x80 | Opcode.CLOSE
    assert masked(sent[12:], sent[8:12]) == (1000).to_bytes(2, "big")
