"""Instances as they are."""

from __future__ import annotations

from typing import Final

from lab.errors import LxdError, LxdSilent, LxdUnreachable, NotFound, Stuck
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.errors import SEE_OPERATIONS
from lab.lxd.model import Instance, InstanceState
from lab.lxd.rest import path

_PATIENCE: Final = 20.0


class LookupCalls(Calls):
    def instances(self) -> tuple[Instance, ...]:
        found = self._rest.get(
            "instances", what="list its instances", params={**self._here, "recursion": "1"}
        )
        return tuple(parse.instance(raw) for raw in found or ())

    def instance(self, name: str) -> Instance | None:
        try:
            return self._shown(name)
        except NotFound:
            return None

    def state(self, name: str) -> InstanceState:
        what = f"show the state of {name}"
        try:
            found, _ = self._rest.get_tagged(
                path("instances", name, "state"),
                what=what,
                params=self._here,
                read_timeout=_PATIENCE,
            )
        except LxdSilent as error:
            # It asks the instance's own network and disk: that tells nothing of the others.
            raise Stuck(
                f"LXD timed out after {_PATIENCE:g} s trying to {what}.", fix=SEE_OPERATIONS
            ) from error
        return parse.instance_state(found)

    def console_log(self, name: str) -> bytes:
        return self._log(name, path("instances", name, "console"), "console")

    def start_log(self, name: str) -> bytes:
        return self._log(name, path("instances", name, "logs", "lxc.log"), "log")

    def _log(self, name: str, place: str, which: str) -> bytes:
        """Nothing where LXD has none; NotFound where there is no instance NAME."""
        what = f"show the {which} of {name}"
        try:
            return self._rest.content(place, what=what, params=self._here, read_timeout=_PATIENCE)[
                0
            ]
        except LxdSilent as error:
            raise Stuck(f"LXD timed out after {_PATIENCE:g} s trying to {what}.") from error
        except LxdUnreachable:
            raise
        except LxdError:
            self._shown(name)
            return b""

    def _shown(self, name: str) -> Instance:
        found = self._rest.get(path("instances", name), what=f"show {name}", params=self._here)
        return parse.instance(found)
