"""What a command has written so far, as LXD records it in two growing files."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from contextlib import suppress

from lab.errors import LxdError, TooMuch
from lab.lxd.contents import MOST
from lab.lxd.errors import AGAIN
from lab.lxd.operation import Operation
from lab.lxd.port import OnOutput
from lab.lxd.rest import Rest, path
from lab.sizes import format_size


class Recording:
    """Stdout and stderr of one command, read piece by piece and decoded as UTF-8."""

    def __init__(
        self,
        rest: Rest,
        instance: str,
        operation: Operation,
        params: Mapping[str, str],
        on_output: OnOutput | None,
    ) -> None:
        self._streams = {
            number: _Stream(
                rest,
                _candidates(instance, operation.id, suffix),
                params,
                on_output,
                what=operation.what,
            )
            for number, suffix in (("1", "stdout"), ("2", "stderr"))
        }

    @property
    def stdout(self) -> str:
        return self._streams["1"].text

    @property
    def stderr(self) -> str:
        return self._streams["2"].text

    def advance(self) -> None:
        """Read what has come since the last time."""
        for stream in self._streams.values():
            stream.advance()

    def complete(self, urls: Mapping[str, str]) -> None:
        """Read the rest; URLS are where the finished operation says that the files are."""
        for number, stream in self._streams.items():
            stream.complete(urls.get(number))

    def delete(self) -> None:
        for stream in self._streams.values():
            stream.delete()


class _Stream:
    def __init__(
        self,
        rest: Rest,
        candidates: tuple[str, ...],
        params: Mapping[str, str],
        on_output: OnOutput | None,
        *,
        what: str,
    ) -> None:
        self._rest = rest
        self._candidates = candidates
        self._params = params
        self._on_output = on_output
        # A character of several bytes may be cut in two by the end of a piece.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []
        self._offset = 0
        self._what = what

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def advance(self) -> None:
        for candidate in self._candidates:
            piece = self._tail(candidate)
            if piece is not None:
                self._candidates = (candidate,)
                self._take(piece)
                return

    def complete(self, url: str | None) -> None:
        if url is None:
            return
        self._candidates = (url.removeprefix("/1.0/").split("?")[0],)
        piece = self._tail(self._candidates[0])
        if piece is None:
            raise LxdError(
                "LXD lost the output of a command.", details=f"It was at {url}.", fix=AGAIN
            )
        self._take(piece, final=True)

    def delete(self) -> None:
        # Not worth an error: what matters is read, or another error is on its way.
        with suppress(LxdError):
            self._rest.delete(
                self._candidates[0], what="delete the record of a command", params=self._params
            )

    def _tail(self, place: str) -> bytes | None:
        left = MOST - self._offset
        return self._rest.tail(place, self._offset, left + 1, params=self._params)

    def _take(self, piece: bytes, *, final: bool = False) -> None:
        self._offset += len(piece)
        if self._offset > MOST:
            raise TooMuch(f"{self._what.removeprefix('run ')} wrote more than {format_size(MOST)}.")
        text = self._decoder.decode(piece, final)
        if text:
            self._pieces.append(text)
            if self._on_output is not None:
                self._on_output(text)


def _candidates(instance: str, operation: str, suffix: str) -> tuple[str, ...]:
    """Where LXD 5.0 records, and where newer ones and Incus do."""
    file = f"exec_{operation}.{suffix}"
    return (
        path("instances", instance, "logs", file),
        path("instances", instance, "logs", "exec-output", file),
    )
