"""Where an instance's processes are, as this machine numbers them."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import LxdError
from lab.lxd.calls import Calls
from lab.lxd.rest import path
from lab.machine.container_processes import is_contained


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
