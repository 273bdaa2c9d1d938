"""Where an instance's processes are, as this machine numbers them."""

from __future__ import annotations

from contextlib import suppress

from lab.contained import is_contained
from lab.errors import LxdError, NotFound
from lab.files_inside import Odd, read_inside
from lab.lxd.calls import Calls
from lab.lxd.rest import path


class ProcessCalls(Calls):
    def init_pid(self, name: str) -> int | None:
        if not self._rest.is_local:
            return None
        with suppress(LxdError):
            state = self._rest.get(
                path("instances", name, "state"),
                what=f"show the state of {name}",
                params=self._here,
            )
            pid = int(state.get("pid") or 0)
            # Where LXD runs in another PID namespace than we, the number is somebody else's here.
            return pid if is_contained(pid) else None
        return None

    def read_theirs(self, name: str, path: str, *, most: int) -> bytes:
        what = f"{path} in {name} could not be read."
        init = self.init_pid(name)
        if init is None:
            raise LxdError(what, details="That takes root on the server, and a running container.")
        try:
            return read_inside(init, path, most=most)
        except FileNotFoundError as error:
            raise NotFound(what, details="There is no such file.") from error
        except (OSError, Odd) as error:
            raise LxdError(what, details=str(error)) from error
