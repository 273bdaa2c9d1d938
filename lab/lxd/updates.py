"""Changing an instance that others may be changing, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.errors import Conflict
from lab.lxd import parse
from lab.lxd.changes import changed, with_fresh_etag
from lab.lxd.cpus import KEY as CPUS
from lab.lxd.cpus import spelled_otherwise
from lab.lxd.errors import AGAIN
from lab.lxd.lookups import LookupCalls
from lab.lxd.model import Instance, State
from lab.lxd.rest import path
from lab.wait import poll

_WRITABLE = (
    "architecture",
    "config",
    "description",
    "devices",
    "ephemeral",
    "profiles",
    "stateful",
)
_LIST = {"recursion": "1"}
# How LXD describes a change of config or devices among its operations.
_UPDATE = "Updating"
_UPDATE_TIMEOUT = 60.0

Config = Mapping[str, "str | None"]
Devices = Mapping[str, "Mapping[str, str] | None"]


class UpdateCalls(LookupCalls):
    def update(
        self,
        name: str,
        *,
        config: Config | None = None,
        devices: Devices | None = None,
        profiles: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Instance:
        whole = {
            **({} if profiles is None else {"profiles": list(profiles)}),
            **({} if description is None else {"description": description}),
        }

        def change() -> Instance:
            if CPUS in (config or {}):
                self._give_cpus(name, (config or {})[CPUS])
            self._write(name, config, devices, whole)
            # A writer that is no labstamp of this host, as `lxc` is: look who is there yet.
            self._wait(name, (self._project,), only=_UPDATE, timeout=_UPDATE_TIMEOUT)
            instance = self._shown(name)
            if not _holds(instance, config or {}, devices or {}):
                raise Conflict(
                    f"LXD could not change {name}.",
                    details="Another program changed it at the same time.",
                    fix=AGAIN,
                )
            return instance

        with self._rest.one_writer(f"{self._project}-{name}", what=f"change {name}"):
            instance = with_fresh_etag(change)
            self._leave_only_limit(name)
            return instance

    def wait_until_idle(self, name: str, *, timeout: float = 600) -> None:
        # A copy into another project is that project's operation. LXD 5.0 lists them one by one.
        projects = self._rest.get("projects", what="list its projects", params=_LIST)
        names = tuple(raw["name"] for raw in projects)
        self._wait(name, names, only="", timeout=timeout)

    def _give_cpus(self, name: str, limit: str | None) -> None:
        """Change LIMIT twice where it changes, here in another spelling: see `lab.lxd.cpus`."""
        before = self._shown(name)
        if before.state is not State.STOPPED and before.config.get(CPUS) != limit:
            self._write(name, {CPUS: spelled_otherwise(limit)}, None, {})

    def _write(
        self,
        name: str,
        config: Config | None,
        devices: Devices | None,
        whole: Mapping[str, object],
    ) -> None:
        where, what = path("instances", name), f"change {name}"
        raw, etag = self._rest.get_tagged(where, what=what, params=self._here)
        body = {key: raw[key] for key in _WRITABLE if key in raw}
        body["config"] = changed(raw.get("config") or {}, config)
        body["devices"] = changed(raw.get("devices") or {}, devices)
        body |= whole
        self._rest.put(where, body, what=what, params=self._here, etag=etag)

    def _wait(self, name: str, projects: Sequence[str], *, only: str, timeout: float) -> None:
        def idle() -> bool | None:
            busy = any(
                self._touches(one, name, project) and only in one.get("description", "")
                for project in projects
                for one in self._operations(project)
            )
            return None if busy else True

        poll(idle, what=f"LXD's own work on {name}", timeout=timeout, every=0.05)

    def _operations(self, project: str) -> Iterator[Mapping[str, Any]]:
        found = self._rest.get(
            "operations", what="list its operations", params={**_LIST, "project": project}
        )
        return (operation for group in (found or {}).values() for operation in group)

    def _touches(self, operation: Mapping[str, Any], name: str, project: str) -> bool:
        if operation["status_code"] >= 200 or operation.get("class") == "token":
            return False
        resources = operation.get("resources") or {}
        if not resources:
            # LXD 5.0 does not tell of which instance it makes an image; any of the project may be.
            return project == self._project and "image" in operation.get("description", "").lower()
        urls = [*(resources.get("instances") or ()), *(resources.get("containers") or ())]
        return any(
            parse.named(url, kind) == (name, self._project)
            for url in urls
            for kind in ("instances", "containers")
        )


def _holds(instance: Instance, config: Config, devices: Devices) -> bool:
    # LXD keeps no empty values.
    kept = all((instance.config.get(key) or None) == (config[key] or None) for key in config)
    return kept and all(instance.devices.get(name) == devices[name] for name in devices)
