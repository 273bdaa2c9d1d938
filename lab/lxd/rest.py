"""LXD's REST API as verbs that return plain JSON, and only when the work is finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from lab.errors import LxdError, TooMuch
from lab.lxd.operation import Operation, finish
from lab.lxd.port import OnProgress
from lab.lxd.refusals import not_lxd, refused, silent
from lab.lxd.session import READ_TIMEOUT
from lab.lxd.wire import Params, Wire
from lab.sizes import format_size

_PIECE = 1 << 20
MOST: Final = 16 << 20
"""Bytes of a file or of an output that are taken into memory."""


def path(*segments: str) -> str:
    """The API path of SEGMENTS, each of which may hold any character."""
    return "/".join(quote(segment, safe="") for segment in segments)


class Rest:
    """WHAT is, in all verbs, a phrase for the error: LXD would not … `publish bob`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.one_writer = threading.Lock()
        """For changes in several steps, which LXD does not guard by itself."""

    @property
    def is_local(self) -> bool:
        """Whether the server is this machine's own."""
        return self._wire.place.socket is not None

    def daemon(self) -> int | None:
        """The number of the daemon's process, as it says."""
        hello = self.get("", what="say who it is")
        pid = (hello.get("environment") or {}).get("server_pid")
        return int(pid) if pid else None

    def get(self, path: str, *, what: str, params: Params | None = None) -> Any:
        return self.get_tagged(path, what=what, params=params)[0]

    def get_tagged(
        self, path: str, *, what: str, params: Params | None = None, patience: float = READ_TIMEOUT
    ) -> tuple[Any, str]:
        """The object and its ETag, to be handed to a later `put`."""
        response = self._wire.read(path, what=what, params=params, patience=patience)
        return self._answer(response).get("metadata"), response.headers.get("ETag", "")

    def headers(
        self, path: str, *, what: str, params: Params | None = None, patience: float = READ_TIMEOUT
    ) -> Mapping[str, str]:
        """Those that a file would come with."""
        response = self._wire.read_any(
            path, what=what, params=params, headers={}, method="HEAD", patience=patience
        )
        with response:
            if response.status_code == 200:
                found: Mapping[str, str] = response.headers
                return found
            # The answer to a HEAD has no text that would tell why.
            raise refused(what, "", status=response.status_code)

    def content(
        self,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        most: int = MOST,
        patience: float = READ_TIMEOUT,
    ) -> tuple[bytes, Mapping[str, str]]:
        """A file's bytes as they are, and the headers that came with them.

        TooMuch beyond MOST bytes, of which no more are read; LxdSilent after PATIENCE seconds,
        however it trickles.
        """
        with self.pieces(path, what=what, params=params, patience=patience) as (headers, pieces):
            told = headers.get("Content-Length", "0")
            content = None if int(told) > most else _gathered(pieces, most)
            if content is None:
                raise TooMuch(f"Too much to {what}: more than {format_size(most)}.")
            return content, headers

    @contextmanager
    def pieces(
        self,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        patience: float | None = None,
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Headers and body of a file that is too large for memory, to be read within.

        PATIENCE: seconds for all of it; None waits as long as something comes.
        """
        began = time.monotonic()

        def in_time(pieces: Iterator[bytes]) -> Iterator[bytes]:
            for piece in pieces:
                yield piece
                if patience is not None and time.monotonic() - began > patience:
                    raise silent(self._wire.place, what, patience)

        with self._wire.stream(
            path, what=what, params=params, patience=patience or READ_TIMEOUT
        ) as response:
            yield response.headers, in_time(response.iter_content(_PIECE))

    def tail(
        self, path: str, offset: int, most: int, *, params: Params | None = None
    ) -> bytes | None:
        """MOST bytes of what a growing file has from OFFSET on; None while it cannot be read."""
        # One byte that we know goes first: after a range that holds nothing (416) LXD drops the
        # connection, and with it whatever is asked next.
        wanted = {"Range": f"bytes={offset - 1}-"} if offset else {}
        response = self._wire.read_any(
            path, what="show the output of a command", params=params, headers=wanted
        )
        with response:
            if response.status_code not in {200, 206}:
                return None
            # A server that ignores Range sends the whole.
            known = min(offset, 1) if response.status_code == 206 else offset
            return _beginning(response.iter_content(_PIECE), known + most)[known:]

    def post(self, path: str, body: Any, *, what: str, **how: Any) -> Any:
        return self._change("post", path, body, what=what, **how)

    def put(self, path: str, body: Any, *, what: str, **how: Any) -> Any:
        return self._change("put", path, body, what=what, **how)

    def patch(self, path: str, body: Any, *, what: str, **how: Any) -> Any:
        return self._change("patch", path, body, what=what, **how)

    def delete(self, path: str, *, what: str, **how: Any) -> Any:
        return self._change("delete", path, None, what=what, **how)

    def begin(self, path: str, body: Any, *, what: str, params: Params | None = None) -> Operation:
        """POST what becomes a background operation, without waiting for it."""
        response = self._wire.send("post", path, what=what, params=params, json=body)
        operation = self._operation(response, what)
        if operation is None:
            raise not_lxd(self._wire.place, f"No operation came of the wish to {what}.")
        return operation

    def finish(
        self,
        operation: Operation,
        on_progress: OnProgress | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Wait until OPERATION has ended well; its metadata."""
        return finish(
            operation,
            lambda seconds: self.glance(operation, seconds),
            on_progress,
            timeout=timeout,
        )

    def glance(self, operation: Operation, seconds: int) -> dict[str, Any]:
        """OPERATION as it is when it ends, or SECONDS from now."""
        try:
            state = self.get_tagged(
                path("operations", operation.id, "wait"),
                what=operation.what,
                params={"timeout": str(seconds)},
                patience=seconds + READ_TIMEOUT,
            )[0]
        except LxdError as error:
            if error.details != "Operation not found":
                raise
            # A plain NotFound would say of the object what is true of the operation only.
            raise LxdError(
                f"LXD would not {operation.what}.",
                details="It forgot the operation: it may have been started anew meanwhile.",
            ) from error
        return dict(state)

    def _change(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        what: str,
        params: Params | None = None,
        etag: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        patience: float = READ_TIMEOUT,
        within: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Any:
        """Send, and wait for the operation when there is one; its metadata or the answer's.

        Stuck when it takes more than WITHIN seconds.
        """
        response = self._wire.send(
            method,
            path,
            what=what,
            params=params,
            patience=patience,
            headers={**(headers or {}), **({"If-Match": etag} if etag else {})},
            **({"json": body} if body is not None else {"data": data}),
        )
        operation = self._operation(response, what)
        if operation is None:
            return self._answer(response).get("metadata")
        return self.finish(operation, on_progress, timeout=within)

    def _operation(self, response: Any, what: str) -> Operation | None:
        url = self._answer(response).get("operation")
        return Operation(id=url.rsplit("/", 1)[-1], what=what) if url else None

    def _answer(self, response: Any) -> dict[str, Any]:
        try:
            return dict(response.json())
        except ValueError as error:
            raise not_lxd(self._wire.place, f"It sent: {response.text[:200]}") from error


def _gathered(pieces: Iterator[bytes], most: int) -> bytes | None:
    """All of PIECES; None where they are more than MOST bytes."""
    content = _beginning(pieces, most + 1)
    return content if len(content) <= most else None


def _beginning(pieces: Iterator[bytes], most: int) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) >= most:
            break
    return bytes(content[:most])
