"""Commands inside an instance that have the caller's own stdin, stdout, stderr and terminal.

LXD's websockets carry them. Whoever only wants the output has `run`, of which nothing gets lost.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final

from lab.errors import LxdError
from lab.lxd.calls import Calls
from lab.lxd.errors import AGAIN, refused
from lab.lxd.operation import Operation, ended
from lab.lxd.rest import path
from lab.lxd.shown import ENVIRONMENT, NOT_ENTERED, shown
from lab.lxd.websocket import WebSocket
from lab.machine.terminal import Size, Streams

_PIECE: Final = 1 << 15
_CONTROL: Final = "control"
_LAST_WORDS: Final = 5.0
"""Seconds for what is on its way when the command has ended."""


class AttachCalls(Calls):
    def attach(
        self,
        name: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        env: Mapping[str, str] | None = None,
    ) -> int:
        what = f"run {shown(argv)} in {name}"
        operation = self._rest.begin(
            path("instances", name, "exec"),
            _wish(argv, streams, env or {}),
            what=what,
            params=self._here,
        )
        with ExitStack() as open_ones:

            def connect(secret: str) -> WebSocket:
                made = self._rest.websocket(operation, secret)
                open_ones.callback(made.close)
                return made

            try:
                # LXD begins when it has the others, and may have ended before this one came. It
                # then refuses it, and 5.0.2 was seen to die of that.
                sockets = {_CONTROL: connect(_CONTROL)}
                others = (key for key in operation.secrets if key != _CONTROL)
                sockets |= {key: connect(key) for key in others}
            except LxdError:
                # LXD opens none for an operation that has ended, which tells why.
                last = self._rest.wait_once(operation, 1)
                if not ended(last):
                    raise
                return _code(what, last)
            at_work = _Attached(streams, sockets)
            try:
                state = self._watch(operation, at_work)
            finally:
                # Closing all of them ends a command that still runs: LXD kills it.
                streams.heard.put(signal.SIGKILL)
            return _code(what, state)

    def _watch(self, operation: Operation, at_work: _Attached) -> Mapping[str, Any]:
        """How the command ended, when the last of its output is written."""
        while True:
            state = self._rest.wait_once(operation, 1)
            at_work.fail_if_refused()
            if ended(state):
                at_work.finish()
                return state


class _Attached:
    """Threads between this process' files and the WebSockets of one command."""

    def __init__(self, streams: Streams, sockets: Mapping[str, WebSocket]) -> None:
        self._failures: list[OSError] = []
        self._outputs: list[threading.Thread] = []
        control = sockets[_CONTROL]
        first = sockets["0"]
        self._begin(lambda: _tell(streams, control))
        self._begin(lambda: _feed(streams.stdin, first))
        if streams.size is None:
            self._show(sockets["1"], streams.stdout)
            self._show(sockets["2"], streams.stderr)
        else:
            self._show(first, streams.stdout)

    def fail_if_refused(self) -> None:
        """BrokenPipeError where nobody reads the output any more, as another OSError."""
        if self._failures:
            raise self._failures[0]

    def finish(self) -> None:
        """Wait for what is on its way, however slowly it is read."""
        for output in self._outputs:
            while output.is_alive():
                output.join(_LAST_WORDS)
        self.fail_if_refused()

    def _show(self, source: WebSocket, target: int) -> None:
        def show() -> None:
            try:
                while (piece := source.receive()) is not None:
                    _write(target, piece)
            except OSError as error:
                # Of the target: a source that breaks has ended.
                self._failures.append(error)
                source.close()
                return
            # LXD waits for this, where keys come on the same WebSocket.
            with suppress(OSError):
                source.say_goodbye()

        self._outputs.append(self._begin(show))

    def _begin(self, work: Callable[[], None]) -> threading.Thread:
        # A daemon: one waits for a key, or for a signal, that nobody sends any more.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


def _wish(argv: Sequence[str], streams: Streams, env: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "command": list(argv),
        "environment": {**ENVIRONMENT, **env},
        "record-output": False,
        "wait-for-websocket": True,
        "interactive": streams.size is not None,
    }
    if streams.size is not None:
        body |= {"width": streams.size.columns, "height": streams.size.lines}
    return body


def _feed(source: int, target: WebSocket) -> None:
    """What is typed or piped in, up to its end, which LXD is told by a text."""
    try:
        while piece := os.read(source, _PIECE):
            target.send(piece)
        target.send_text("")
    except OSError:
        return  # the command reads no more


def _tell(streams: Streams, control: WebSocket) -> None:
    """Signals and sizes, until SIGKILL, the last one."""
    try:
        while (news := streams.heard.get()) is not signal.SIGKILL:
            control.send_text(json.dumps(_order(news)))
    except OSError:
        return  # the command has ended


def _order(news: Size | signal.Signals) -> dict[str, Any]:
    if isinstance(news, Size):
        size = {"width": str(news.columns), "height": str(news.lines)}
        return {"command": "window-resize", "args": size}
    return {"command": "signal", "signal": int(news)}


def _write(target: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(target, left) :]


def _code(what: str, state: Mapping[str, Any]) -> int:
    metadata = state.get("metadata") or {}
    # An exit code of 126 or 127 makes LXD call the operation failed: it is an answer, too.
    if "return" in metadata:
        return int(metadata["return"])
    text = str(state.get("err") or "It was not started.")
    if NOT_ENTERED in text:
        # Not repeated: in one case that was looked at, the command had run all the same.
        raise LxdError(
            f"LXD could not {what}.",
            details=f"{text}\nLXD fails so at times; the command may have run.",
            fix=AGAIN,
        )
    raise refused(what, text)
