"""A WebSocket (RFC 6455) as a client of LXD needs one, over a socket that is connected.

Several threads may send and receive: TLS connections bear one call at a time, so each one is short.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Final, TypeVar

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST_HEAD: Final = 1 << 14
_PIECE: Final = 1 << 16
_TICK_MS: Final = 1000

T = TypeVar("T")


class Kind(IntEnum):
    """Of a frame."""

    CONTINUED = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class NotAWebSocket(Exception):
    """The other side does not speak the protocol; the text is what it said."""


class WebSocket:
    """Frames of any length, as they come: nobody here needs to know where a message ends."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._read = bytearray()
        self._one_at_a_time = threading.Lock()
        self._one_frame = threading.Lock()
        line.settimeout(0)

    def begin(self, host: str, path: str) -> None:
        """Ask the server at the other end for the WebSocket at PATH."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode("ascii")
        )
        while b"\r\n\r\n" not in self._read:
            if not self._fill() or len(self._read) > _LONGEST_HEAD:
                raise NotAWebSocket(_first_line(bytes(self._read)))
        head, _, rest = bytes(self._read).partition(b"\r\n\r\n")
        self._read = bytearray(rest)
        if b" 101 " not in head.split(b"\r\n")[0] + b" " or accepted(key) not in head:
            raise NotAWebSocket(_first_line(head))

    def send(self, payload: bytes, kind: Kind = Kind.BINARY) -> None:
        """OSError when the other side hung up."""
        with self._one_frame:
            self._write(frame(payload, kind, secrets.token_bytes(4)))

    def receive(self) -> bytes | None:
        """What came, or None at its end: LXD says so by a text, or closes the WebSocket."""
        continued = Kind.BINARY
        while True:
            kind, payload = self._frame()
            if kind is Kind.PING:
                # What LXD sent before it hung up is there to be read all the same.
                with suppress(OSError):
                    self.send(payload, Kind.PONG)
                continue
            if kind is Kind.PONG:
                continue
            if kind is not Kind.CONTINUED:
                continued = kind
            if continued is not Kind.BINARY:
                return None
            if payload:
                return payload

    def close(self) -> None:
        """At once; who waits in `receive` gets None."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def _frame(self) -> tuple[Kind, bytes]:
        """CLOSE where the connection ends."""
        head = self._take(2)
        if head is None:
            return Kind.CLOSE, b""
        size = head[1] & 0x7F
        if size >= 126:
            form, width = (">H", 2) if size == 126 else (">Q", 8)
            more = self._take(width)
            if more is None:
                return Kind.CLOSE, b""
            size = struct.unpack(form, more)[0]
        payload = self._take(size)
        if payload is None:
            return Kind.CLOSE, b""
        try:
            return Kind(head[0] & 0x0F), payload
        except ValueError:
            return Kind.CLOSE, b""

    def _take(self, size: int) -> bytes | None:
        while len(self._read) < size:
            if not self._fill():
                return None
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    def _fill(self) -> bool:
        try:
            came = self._when_ready(lambda: self._line.recv(_PIECE), writes=False)
        except OSError:
            return False
        self._read += came
        return bool(came)

    def _write(self, content: bytes) -> None:
        left = memoryview(content)

        def send() -> int:
            return self._line.send(left[:_PIECE])

        while left:
            left = left[self._when_ready(send, writes=True) :]

    def _when_ready(self, act: Callable[[], T], *, writes: bool) -> T:
        while True:
            with self._one_at_a_time:
                try:
                    return act()
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                    wants_write = isinstance(error, ssl.SSLWantWriteError) or (
                        writes and not isinstance(error, ssl.SSLWantReadError)
                    )
            ready = select.poll()
            ready.register(self._line, select.POLLOUT if wants_write else select.POLLIN)
            ready.poll(_TICK_MS)


def frame(payload: bytes, kind: Kind, mask: bytes) -> bytes:
    """One whole message as a client sends it."""
    size = len(payload)
    first = 0x80 | kind
    if size < 126:
        head = struct.pack(">BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, size)
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """PAYLOAD with each four bytes changed by MASK; a second time it is as before."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def accepted(key: str) -> bytes:
    """What a server that speaks the protocol answers to KEY."""
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    return base64.b64encode(digest)


def _first_line(head: bytes) -> str:
    return head.split(b"\r\n")[0].decode(errors="replace")[:200] or "no answer"
