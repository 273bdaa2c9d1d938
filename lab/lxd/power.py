"""Starting and stopping."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import InstanceCorrupted, LxdError, Stuck
from lab.lxd.changes import when_free
from lab.lxd.fork_file import STILL_HELD
from lab.lxd.lookups import LookupCalls
from lab.lxd.model import State
from lab.lxd.rest import path
from lab.wait import poll

_LOG_LINES = 20
# Giving all files to the container's range of uids, LXD loses one of them while somebody asks it
# for its hardware (see lab.lxd.gpus); some files were given by then, and the next start would not
# know.
_HALF_SHIFTED = "Failed to handle idmapped storage: Failed to change ownership"


class PowerCalls(LookupCalls):
    start_seconds: float = 300.0
    """Giving a large root to its range of uids took some forty."""

    def start(self, name: str) -> None:
        if self._is(State.RUNNING, name):
            return
        try:
            self._into(name, "start", within=self.start_seconds)
        except LxdError as error:
            if self._is(State.RUNNING, name) or (
                isinstance(error, Stuck) and self._starts_when_let_go(name)
            ):
                self._leave_only_limit(name)
                return
            log = STILL_HELD if isinstance(error, Stuck) else self._log_of(name)
            details = "\n".join(part for part in (error.details, log) if part)
            kind = InstanceCorrupted if _HALF_SHIFTED in (error.details or "") else type(error)
            raise kind(error.brief, details=details or None, fix=error.fix) from error
        self._leave_only_limit(name)

    def stop(self, name: str, *, force: bool = False, timeout: int = 30) -> None:
        if self._is(State.STOPPED, name):
            return
        if not force:
            # Whatever keeps it from stopping cleanly, force is what is left.
            with suppress(LxdError):
                self._into(name, "stop", timeout=timeout)
            if self._is(State.STOPPED, name):
                return
        try:
            self._into(name, "stop", force=True)
        except LxdError:
            if not self._is(State.STOPPED, name):
                raise

    def _starts_when_let_go(self, name: str) -> bool:
        """LXD starts an instance after what serves its files has ended, be that stuck or not."""
        if not self._end_file_server(name):
            return False
        with suppress(LxdError):
            poll(
                lambda: self._is(State.RUNNING, name) or None,
                what=f"{name} to run",
                timeout=self.start_seconds,
            )
        return self._is(State.RUNNING, name)

    def _is(self, state: State, name: str) -> bool:
        return self._shown(name).state is state

    def _into(
        self,
        name: str,
        action: str,
        *,
        force: bool = False,
        timeout: int = -1,
        within: float | None = None,
    ) -> None:
        body = {"action": action, "force": force, "timeout": timeout}
        when_free(
            lambda: self._rest.put(
                path("instances", name, "state"),
                body,
                what=f"{action} {name}",
                params=self._here,
                within=within,
            )
        )

    def _log_of(self, name: str) -> str | None:
        try:
            content = self.start_log(name)
        except LxdError:
            return None
        return "\n".join(content.decode(errors="replace").splitlines()[-_LOG_LINES:]) or None
