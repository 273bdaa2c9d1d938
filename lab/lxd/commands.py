"""Commands inside an instance: recorded by LXD, followed by us, bounded in time and in output.

LXD's websockets lose output under load and break on large input; its recordings do not. But a
recording is a file of the server's, outside of every quota, and `timeout` is whatever program the
instance has by that name: so both bounds are kept from outside, too.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lab.errors import CommandTimeout, LxdError, TooMuch
from lab.lxd.errors import refused
from lab.lxd.files import FileCalls
from lab.lxd.model import Completed
from lab.lxd.operation import Operation, ended
from lab.lxd.port import OnOutput
from lab.lxd.processes import ProcessCalls
from lab.lxd.recording import Recording
from lab.lxd.recording_file import is_written
from lab.lxd.rest import path
from lab.lxd.shown import ENVIRONMENT, NOT_ENTERED, shown
from lab.machine.container_processes import end_writers
from lab.wait import retry

# The file has no name any more when the command starts: nothing is left, whatever happens then.
_FEED = 'f=$1; shift; exec <"$f"; rm -f "$f"; exec "$@"'
_KILL_AFTER = 5
_GRACE = 20.0
"""Beyond the command's own deadline: for an instance that hangs as a whole."""
# 124: ended by `timeout`; 137: killed by it; 143: ended by busybox' `timeout`.
_TIMED_OUT = {124, 137, 143}
_SHOWN_LINES = 10
_ENTRIES = 5


_ENDED: Final = "Another program ended it."
_MAY_GO_ON: Final = (
    "It may still run, and LXD may still record its output. Stop the instance to end it."
)


class CommandCalls(ProcessCalls, FileCalls):
    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        on_output: OnOutput | None = None,
    ) -> Completed:
        def once() -> Completed:
            return self._once(
                name, argv, stdin=stdin, env=env or {}, timeout=timeout, on_output=on_output
            )

        return retry(once, when=lambda error: NOT_ENTERED in (error.details or ""), times=_ENTRIES)

    def _once(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None,
        env: Mapping[str, str],
        timeout: float,
        on_output: OnOutput | None,
    ) -> Completed:
        what = f"run {shown(argv)} in {name}"
        bounded = ["timeout", "-k", str(_KILL_AFTER), f"{timeout:g}"]
        fed = self._feed(name, stdin) if stdin else None
        if fed is not None:
            bounded += ["/bin/sh", "-c", _FEED, "sh", fed]
        body = {
            "command": [*bounded, *argv],
            "environment": {**ENVIRONMENT, **env},
            "record-output": True,
            "wait-for-websocket": False,
            "interactive": False,
        }
        began = time.monotonic()
        try:
            operation = self._rest.begin(
                path("instances", name, "exec"), body, what=what, params=self._here
            )
            recording = Recording(self._rest, name, operation, self._here, on_output)
            try:
                completed = self._follow(name, operation, recording, timeout)
            finally:
                self._let_go(name, operation)
                recording.delete()
        except LxdError:
            if fed is not None:
                self._discard(name, fed)
            raise
        # A command may end with any code by itself; only one that took its time was ended.
        if completed.exit_code in _TIMED_OUT and time.monotonic() - began >= timeout:
            raise _too_long(name, argv, timeout, completed.stdout + completed.stderr)
        return completed

    def _feed(self, name: str, content: bytes) -> str:
        file = f"/run/labstamp-{secrets.token_hex(8)}"
        self.write_file(name, file, content, mode=0o600)
        return file

    def _follow(
        self, name: str, operation: Operation, recording: Recording, timeout: float
    ) -> Completed:
        deadline = time.monotonic() + timeout + _KILL_AFTER + _GRACE
        try:
            while True:
                state = self._rest.wait_once(operation, 1)
                if ended(state):
                    return _completed(operation, state, recording)
                recording.advance()
                if time.monotonic() >= deadline:
                    raise _endless(operation, recording)
        except (CommandTimeout, TooMuch) as error:
            ended_now = end_writers(self.init_pid(name), operation.id)
            told = _ENDED if ended_now else _MAY_GO_ON
            error.details = "\n".join(filter(None, (error.details, told)))
            raise

    def _let_go(self, name: str, operation: Operation) -> None:
        """End what goes on writing to a recording that nobody reads any more."""
        if self._rest.is_local and is_written(self._host(name), operation.id):
            end_writers(self.init_pid(name), operation.id)


def _completed(operation: Operation, state: Mapping[str, Any], recording: Recording) -> Completed:
    metadata = state.get("metadata") or {}
    # An exit code of 126 or 127 makes LXD call the operation failed: it is an answer, too.
    if "return" not in metadata:
        raise refused(operation.what, state.get("err") or "It was not started.")
    recording.complete(metadata.get("output") or {})
    return Completed(
        exit_code=int(metadata["return"]), stdout=recording.stdout, stderr=recording.stderr
    )


def _endless(operation: Operation, recording: Recording) -> CommandTimeout:
    return CommandTimeout(
        f"{operation.what.removeprefix('run ')} did not end, even after it was killed.",
        details=_last_lines(recording.stdout + recording.stderr),
    )


def _too_long(name: str, argv: Sequence[str], timeout: float, output: str) -> CommandTimeout:
    return CommandTimeout(
        f"{shown(argv)} in {name} timed out after {timeout:g} s and was killed.",
        details=_last_lines(output),
    )


def _last_lines(output: str) -> str | None:
    return "\n".join(output.splitlines()[-_SHOWN_LINES:]) or None
