"""A WebSocket over a socket that is connected, as a client of LXD needs one.

`websockets` speaks the protocol, without a socket of its own. What is read and written here bears
two things that its client does not: LXD hangs up while a ping of its is unanswered, and what it
sent before must be read all the same; and a TLS connection takes one call at a time, so several
threads that send and receive make short ones.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

_PIECE: Final = 1 << 16
_TICK_MS: Final = 1000

T = TypeVar("T")


class NotAWebSocket(Exception):
    """The other side does not speak the protocol; the text is what it said."""


class WebSocket:
    """Frames of any length, as they come: nobody here needs to know where a message ends."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._protocol: ClientProtocol | None = None
        self._frames: deque[Frame] = deque()
        self._last = Opcode.BINARY
        self._one_call = threading.Lock()
        self._one_message = threading.Lock()
        line.settimeout(0)

    def begin(self, host: str, path: str) -> None:
        """Ask the server at the other end for the WebSocket at PATH."""
        protocol = ClientProtocol(parse_uri(f"ws://{host}{path}"), max_size=None)
        self._protocol = protocol
        protocol.send_request(protocol.connect())
        self._flush(protocol)
        answer = None
        while answer is None and protocol.state is not State.CLOSED:
            if not self._fill(protocol):
                break
            events = protocol.events_received()
            answer = next((one for one in events if isinstance(one, Response)), None)
            self._frames.extend(one for one in events if isinstance(one, Frame))
        if protocol.handshake_exc is not None or answer is None:
            raise NotAWebSocket(_said(answer, protocol.handshake_exc))

    def send(self, payload: bytes) -> None:
        """OSError when the other side hung up."""
        self._say(lambda protocol: protocol.send_binary(payload))

    def send_text(self, text: str) -> None:
        """OSError when the other side hung up."""
        self._say(lambda protocol: protocol.send_text(text.encode()))

    def say_goodbye(self) -> None:
        """That nothing more is sent: RFC 6455, 7.4.1. OSError when the other side hung up."""
        self._say(lambda protocol: protocol.send_close(1000))

    def receive(self) -> bytes | None:
        """What came, or None at its end: LXD says so by a text, or closes the WebSocket."""
        while True:
            while not self._frames:
                if self._protocol is None or not self._fill(self._protocol):
                    return None
                events = self._protocol.events_received()
                self._frames.extend(one for one in events if isinstance(one, Frame))
            frame = self._frames.popleft()
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                continue
            if frame.opcode is not Opcode.CONT:
                self._last = frame.opcode
            if self._last is not Opcode.BINARY:
                return None
            if frame.data:
                return bytes(frame.data)

    def close(self) -> None:
        """At once; who waits in `receive` gets None."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def _say(self, act: Callable[[ClientProtocol], None]) -> None:
        protocol = self._protocol
        if protocol is None:
            raise BrokenPipeError("the WebSocket was not begun")
        with self._one_message:
            try:
                act(protocol)
            except WebSocketException as error:
                raise BrokenPipeError(str(error)) from error
            self._flush(protocol)

    def _fill(self, protocol: ClientProtocol) -> bool:
        """Whether something came. What it asks for, as a ping does, is answered."""
        try:
            came = self._when_ready(lambda: self._line.recv(_PIECE), writes=False)
        except OSError:
            came = b""
        with self._one_message:
            if came:
                protocol.receive_data(came)
            elif protocol.state is not State.CLOSED:
                protocol.receive_eof()
            # What LXD sent before it hung up is there to be read all the same.
            with suppress(OSError):
                self._flush(protocol)
        return bool(came)

    def _flush(self, protocol: ClientProtocol) -> None:
        for content in protocol.data_to_send():
            # An empty one stands for the end of what is sent: LXD learns it by `close`.
            self._write(content)

    def _write(self, content: bytes) -> None:
        left = memoryview(content)

        def send() -> int:
            return self._line.send(left[:_PIECE])

        while left:
            left = left[self._when_ready(send, writes=True) :]

    def _when_ready(self, act: Callable[[], T], *, writes: bool) -> T:
        while True:
            with self._one_call:
                try:
                    return act()
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                    wants_write = isinstance(error, ssl.SSLWantWriteError) or (
                        writes and not isinstance(error, ssl.SSLWantReadError)
                    )
            ready = select.poll()
            ready.register(self._line, select.POLLOUT if wants_write else select.POLLIN)
            ready.poll(_TICK_MS)


def _said(answer: Response | None, error: Exception | None) -> str:
    if answer is not None:
        return f"HTTP {answer.status_code} {answer.reason_phrase}"
    return str(error)[:200] if error is not None else "no answer"
