"""Files of an instance, running or not."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import PurePosixPath

from lab.errors import LxdError, NotFound
from lab.lxd.calls import Calls
from lab.lxd.rest import path as api_path

_READABLE_BY_OTHERS = 0o044


class FileCalls(Calls):
    def read_file(self, name: str, path: str) -> bytes:
        what = f"read {path} in {name}"
        content, headers = self._rest.content(
            api_path("instances", name, "files"), what=what, params=self._at(path)
        )
        if headers.get("X-LXD-type", "file") != "file":
            raise LxdError(f"LXD would not {what}.", details=f"{path} is no file.")
        return content

    def list_directory(self, name: str, path: str) -> tuple[str, ...]:
        what = f"list {path} in {name}"
        content, headers = self._rest.content(
            api_path("instances", name, "files"), what=what, params=self._at(path)
        )
        if headers.get("X-LXD-type") != "directory":
            raise LxdError(f"LXD would not {what}.", details=f"{path} is no directory.")
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
        try:
            self._rest.delete(
                api_path("instances", name, "files"),
                what=f"delete {path} in {name}",
                params=self._at(path),
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
        self._rest.post(
            api_path("instances", name, "files"),
            None,
            what=f"write {path} in {name}",
            params=self._at(path),
            headers={**headers, "Content-Type": "application/octet-stream"},
            data=content,
        )

    def _discard(self, name: str, path: str) -> None:
        """Delete PATH on the way out of a failure, which must not be hidden by another."""
        with suppress(LxdError):
            self.delete_file(name, path)

    def _at(self, path: str) -> dict[str, str]:
        return {**self._here, "path": path}


def _instance_is_missing(error: NotFound) -> bool:
    return "nstance not found" in (error.details or "")
