"""Files of an instance, running or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Final

from lab.errors import LxdError, LxdSilent, NotFound, Stuck
from lab.lxd.calls import Calls
from lab.lxd.contents import MOST
from lab.lxd.fork_file import STILL_HELD
from lab.lxd.rest import path as api_path

_READABLE_BY_OTHERS: Final = 0o044
_MOST_NAMES: Final = 4 << 20
"""Bytes: a hundred thousand names of libraries, where there are some thousand."""


class FileCalls(Calls):
    file_seconds: float = 15.0
    """How long a user's container may keep LXD waiting for a file."""

    def read_file(self, name: str, path: str, *, most: int = MOST) -> bytes:
        what = f"read {path} in {name}"
        with self._bounded(name, what):
            content, headers = self._rest.content(
                api_path("instances", name, "files"),
                what=what,
                params=self._at(path),
                most=most,
                read_timeout=self.file_seconds,
            )
        if headers.get("X-LXD-type", "file") != "file":
            raise LxdError(f"LXD could not {what}.", details=f"{path} is not a file.")
        return content

    def last_written(self, name: str, path: str) -> str | None:
        what = f"look at {path} in {name}"
        try:
            with self._bounded(name, what):
                headers = self._rest.headers(
                    api_path("instances", name, "files"),
                    what=what,
                    params=self._at(path),
                    read_timeout=self.file_seconds,
                )
        except NotFound:
            return None
        return headers.get("X-LXD-modified", "")

    def list_directory(self, name: str, path: str) -> tuple[str, ...]:
        what = f"list {path} in {name}"
        # The dot: LXD opens whatever is there, and a pipe is never opened for want of a writer.
        # `PIPE/.` cannot be opened at all, whenever somebody put it there.
        inside = self._at(f"{path.rstrip('/')}/.")
        with self._bounded(name, what), _named(path, what):
            content, headers = self._rest.content(
                api_path("instances", name, "files"),
                what=what,
                params=inside,
                most=_MOST_NAMES,
                read_timeout=self.file_seconds,
            )
        if headers.get("X-LXD-type") != "directory":
            raise LxdError(f"LXD could not {what}.", details=f"{path} is not a directory.")
        return tuple(sorted(json.loads(content)["metadata"] or ()))

    def write_file(
        self, name: str, path: str, content: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0
    ) -> None:
        # LXD keeps mode and owner of a file that exists, whatever it is asked for.
        self.delete_file(name, path)
        headers = {"X-LXD-mode": f"{mode:04o}", "X-LXD-uid": str(uid), "X-LXD-gid": str(gid)}
        if not mode & _READABLE_BY_OTHERS:
            # It writes first and sets the mode afterwards: a secret gets its mode while empty.
            self._put(name, path, b"", headers)
        self._put(name, path, content, headers)

    def delete_file(self, name: str, path: str) -> None:
        what = f"delete {path} in {name}"
        try:
            with self._bounded(name, what):
                self._rest.delete(
                    api_path("instances", name, "files"), what=what, params=self._at(path)
                )
        except NotFound as error:
            if _instance_is_missing(error):
                raise

    def _put(self, name: str, path: str, content: bytes, headers: dict[str, str]) -> None:
        try:
            self._post(name, path, content, {**headers, "X-LXD-type": "file"})
        except NotFound as error:
            if _instance_is_missing(error):
                raise
            self._make_parents(name, path)
            self._post(name, path, content, {**headers, "X-LXD-type": "file"})

    def _make_parents(self, name: str, path: str) -> None:
        parents = [str(parent) for parent in PurePosixPath(path).parents if parent.name]
        for parent in reversed(parents):
            # Making one that exists changes nothing.
            self._post(name, parent, b"", {"X-LXD-type": "directory", "X-LXD-mode": "0755"})

    def _post(self, name: str, path: str, content: bytes, headers: dict[str, str]) -> None:
        what = f"write {path} in {name}"
        with self._bounded(name, what):
            self._rest.post(
                api_path("instances", name, "files"),
                None,
                what=what,
                params=self._at(path),
                headers={**headers, "Content-Type": "application/octet-stream"},
                data=content,
            )

    def _discard(self, name: str, path: str) -> None:
        """Delete PATH on the way out of a failure, which must not be hidden by another."""
        with suppress(LxdError):
            self.delete_file(name, path)

    @contextmanager
    def _bounded(self, name: str, what: str) -> Iterator[None]:
        """Tell LXD's silence about a file as what it is: one instance's trouble, not LXD's."""
        try:
            yield
        except LxdSilent as error:
            raise Stuck(
                f"LXD timed out trying to {what}: something in {name} blocks it.",
                details=None if self._end_file_server(name) else STILL_HELD,
            ) from error

    def _at(self, path: str) -> dict[str, str]:
        return {**self._here, "path": path}


def _instance_is_missing(error: NotFound) -> bool:
    return "nstance not found" in (error.details or "")


@contextmanager
def _named(path: str, what: str) -> Iterator[None]:
    """The kernel's `not a directory` as our error."""
    try:
        yield
    except LxdError as error:
        if "not a directory" not in (error.details or ""):
            raise
        raise LxdError(f"LXD could not {what}.", details=f"{path} is not a directory.") from error
