"""Instances as they are."""

from __future__ import annotations

from lab.errors import NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Instance, InstanceState
from lab.lxd.rest import path


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
        found = self._rest.get(
            path("instances", name, "state"), what=f"tell how {name} is", params=self._here
        )
        return parse.instance_state(found)

    def _shown(self, name: str) -> Instance:
        found = self._rest.get(path("instances", name), what=f"show {name}", params=self._here)
        return parse.instance(found)
