"""Files over LXD's REST API: read piece by piece, since nobody knows how large they are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from lab.errors import TooMuch
from lab.lxd.errors import refused, silent
from lab.lxd.session import READ_TIMEOUT
from lab.lxd.transport import Params, Transport, translated
from lab.sizes import format_size

_OUTPUT: Final = "show the output of a command"
_PIECE: Final = 1 << 20
MOST: Final = 16 << 20
"""Bytes of a file or of an output that are taken into memory."""


class Contents:
    """Base of `Rest`. WHAT is a phrase for the error."""

    def __init__(self, wire: Transport) -> None:
        self._wire = wire

    def headers(
        self,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        read_timeout: float = READ_TIMEOUT,
    ) -> Mapping[str, str]:
        """Those that a file would come with."""
        response = self._wire.read_any(
            path, what=what, params=params, headers={}, method="HEAD", read_timeout=read_timeout
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
        read_timeout: float = READ_TIMEOUT,
    ) -> tuple[bytes, Mapping[str, str]]:
        """A file's bytes as they are, and the headers that came with them.

        TooMuch beyond MOST bytes, of which no more are read; LxdSilent after PATIENCE seconds,
        however it trickles.
        """
        with self.pieces(path, what=what, params=params, read_timeout=read_timeout) as (
            headers,
            pieces,
        ):
            told = headers.get("Content-Length", "0")
            content = None if int(told) > most else _gathered(pieces, most)
            if content is None:
                raise TooMuch(f"LXD could not {what}: it is larger than {format_size(most)}.")
            return content, headers

    @contextmanager
    def pieces(
        self,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        read_timeout: float | None = None,
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Headers and body of a file that is too large for memory, to be read within.

        PATIENCE: seconds for all of it; None waits as long as something comes.
        """
        began = time.monotonic()

        def in_time(response: Any, seconds: float) -> Iterator[bytes]:
            # Each is what has come by then: a piece of a size may take for ever to fill.
            while piece := response.raw.read1(_PIECE):
                yield piece
                if time.monotonic() - began > seconds:
                    raise silent(self._wire.place, what, seconds)

        with self._wire.stream(
            path, what=what, params=params, read_timeout=read_timeout or READ_TIMEOUT
        ) as response:
            whole = (
                in_time(response, read_timeout) if read_timeout else response.iter_content(_PIECE)
            )
            yield response.headers, whole

    def tail(
        self, path: str, offset: int, most: int, *, params: Params | None = None
    ) -> bytes | None:
        """MOST bytes of what a growing file has from OFFSET on; None while it cannot be read."""
        # One byte that we know goes first: after a range that holds nothing (416) LXD drops the
        # connection, and with it whatever is asked next.
        wanted = {"Range": f"bytes={offset - 1}-"} if offset else {}
        response = self._wire.read_any(path, what=_OUTPUT, params=params, headers=wanted)
        with translated(self._wire.place, _OUTPUT), response:
            if response.status_code not in {200, 206}:
                return None
            # A server that ignores Range sends the whole.
            known = min(offset, 1) if response.status_code == 206 else offset
            return _beginning(response.iter_content(_PIECE), known + most)[known:]


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
