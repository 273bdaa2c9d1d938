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

    def snapshots(self, name: str) -> tuple[str, ...]:
        found = self._rest.get(
            path("instances", name, "snapshots"),
            what=f"list the snapshots of {name}",
            params={**self._here, "recursion": "1"},
        )
        by_age = sorted(found or (), key=lambda raw: parse.moment(raw.get("created_at")))
        return tuple(raw["name"].rsplit("/", 1)[-1] for raw in by_age)

    def _shown(self, name: str) -> Instance:
        found = self._rest.get(path("instances", name), what=f"show {name}", params=self._here)
        return parse.instance(found)
