"""LXD's REST API as verbs that return plain JSON, and only when the work is finished."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.errors import LxdError
from lab.lxd.contents import Contents
from lab.lxd.errors import AGAIN, Place, not_lxd
from lab.lxd.operation import Operation, finish
from lab.lxd.port import OnProgress
from lab.lxd.session import READ_TIMEOUT
from lab.lxd.transport import Params
from lab.lxd.websocket import WebSocket
from lab.machine.lock import hold_lock
from lab.machine.lock_directory import LOCAL, have_place
from lab.report import Silent


def path(*segments: str) -> str:
    """The API path of SEGMENTS, each of which may hold any character."""
    return "/".join(quote(segment, safe="") for segment in segments)


class Rest(Contents):
    """WHAT is, in all verbs, a phrase for the error: LXD would not … `publish bob`."""

    def one_writer(self, of: str, *, what: str) -> AbstractContextManager[None]:
        """Hold off the other labstamps of this host that would change OF while WHAT is done.

        LXD compares an ETag and writes a little later; of two that both passed, the first is lost.
        """
        return hold_lock(f"change-{of}", Silent(), what, remote=self._remote, directory=self._locks)

    @property
    def _remote(self) -> str:
        return self._wire.place.url or LOCAL

    @cached_property
    def _locks(self) -> Path:
        """Looked for once: which LXD is this machine's is asked of its sockets."""
        return have_place(self._remote)

    @property
    def is_local(self) -> bool:
        """Whether the server is this machine's own."""
        return self._wire.place.socket is not None

    @property
    def place(self) -> Place:
        return self._wire.place

    @property
    def directory(self) -> Path | None:
        """Where this machine's own daemon keeps its things; None for one elsewhere."""
        socket = self._wire.place.socket
        return socket.parent.absolute() if socket is not None else None

    def daemon(self) -> int | None:
        """The number of the daemon's process, as it says."""
        hello = self.get("", what="report its version")
        pid = (hello.get("environment") or {}).get("server_pid")
        return int(pid) if pid else None

    def get(self, path: str, *, what: str, params: Params | None = None) -> Any:
        return self.get_tagged(path, what=what, params=params)[0]

    def get_tagged(
        self,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        read_timeout: float = READ_TIMEOUT,
    ) -> tuple[Any, str]:
        """The object and its ETag, to be handed to a later `put`."""
        response = self._wire.read(path, what=what, params=params, read_timeout=read_timeout)
        return self._answer(response).get("metadata"), response.headers.get("ETag", "")

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
            raise not_lxd(self._wire.place, f"LXD started no operation to {what}.")
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
            lambda seconds: self.wait_once(operation, seconds),
            on_progress,
            timeout=timeout,
        )

    def wait_once(self, operation: Operation, seconds: int) -> dict[str, Any]:
        """OPERATION as it is when it ends, or SECONDS from now."""
        try:
            state = self.get_tagged(
                path("operations", operation.id, "wait"),
                what=operation.what,
                params={"timeout": str(seconds)},
                read_timeout=seconds + READ_TIMEOUT,
            )[0]
        except LxdError as error:
            if error.details != "Operation not found":
                raise
            # A plain NotFound would say of the object what is true of the operation only.
            raise LxdError(
                f"LXD could not {operation.what}.",
                details="It no longer knows the operation: LXD may have been restarted meanwhile.",
                fix=AGAIN,
            ) from error
        return dict(state)

    def websocket(self, operation: Operation, name: str) -> WebSocket:
        """The connection NAME of OPERATION."""
        return self._wire.websocket(
            f"/1.0/{path('operations', operation.id, 'websocket')}"
            f"?secret={quote(operation.secrets[name], safe='')}",
            what=operation.what,
        )

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
        read_timeout: float = READ_TIMEOUT,
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
            read_timeout=read_timeout,
            headers={**(headers or {}), **({"If-Match": etag} if etag else {})},
            **({"json": body} if body is not None else {"data": data}),
        )
        operation = self._operation(response, what)
        if operation is None:
            return self._answer(response).get("metadata")
        return self.finish(operation, on_progress, timeout=within)

    def _operation(self, response: Any, what: str) -> Operation | None:
        answer = self._answer(response)
        url = answer.get("operation")
        if not url:
            return None
        told = (answer.get("metadata") or {}).get("metadata") or {}
        # Those of a command are one level below.
        told = {**told, **(told.get("fds") or {})}
        secrets = {name: value for name, value in told.items() if isinstance(value, str)}
        return Operation(id=url.rsplit("/", 1)[-1], what=what, secrets=secrets)

    def _answer(self, response: Any) -> dict[str, Any]:
        try:
            return dict(response.json())
        except ValueError as error:
            raise not_lxd(self._wire.place, f"It sent: {response.text[:200]}") from error
