"""The server itself: projects, pools, networks, profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lab.errors import LxdError, NotFound
from lab.hardware.sysfs import root_seen_by
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.idmap import IdRange
from lab.lxd.loop_file import beneath
from lab.lxd.model import Network, Pool, Profile, Server
from lab.lxd.rest import path
from lab.lxd.subids import reserved_range, uid_map_of

# These are answered when they are done, and a pool on a loop file takes its time.
_PATIENCE = 600.0
_LIST = {"recursion": "1"}


class ServerCalls(Calls):
    def server(self) -> Server:
        return parse.server(self._rest.get("", what="report its version"))

    def now(self) -> datetime:
        """By the server's clock; this machine's may differ by years."""
        _, headers = self._rest.content("", what="report its time")
        try:
            return parsedate_to_datetime(headers["Date"])
        except (KeyError, ValueError) as error:
            raise LxdError("LXD did not report its time.") from error

    def id_range(self) -> IdRange | None:
        if not self._rest.is_local:
            return None
        hello = self._rest.get("", what="report its version")
        pid = (hello.get("environment") or {}).get("server_pid")
        return reserved_range(root_seen_by(pid), uid_map_of(pid))

    def projects(self) -> Mapping[str, Mapping[str, str]]:
        found = self._rest.get("projects", what="list its projects", params=_LIST)
        return {raw["name"]: raw.get("config") or {} for raw in found or ()}

    def create_project(self, name: str, config: Mapping[str, str]) -> None:
        body = {"name": name, "config": dict(config)}
        self._rest.post("projects", body, what=f"create the project {name}")

    def delete_project(self, name: str) -> None:
        self._rest.delete(path("projects", name), what=f"delete the project {name}")

    def pools(self) -> tuple[Pool, ...]:
        found = self._rest.get("storage-pools", what="list its storage pools", params=_LIST)
        return tuple(self._measured(raw) for raw in found or ())

    def _measured(self, raw: Mapping[str, Any]) -> Pool:
        pool = parse.pool(raw, self._space(raw["name"]))
        if not self._rest.is_local:
            return pool
        source = (raw.get("config") or {}).get("source") or ""
        return replace(pool, beneath=beneath(source, free_inside=pool.inside_bytes))

    def _space(self, pool: str) -> Mapping[str, object] | None:
        try:
            found = self._rest.get(
                path("storage-pools", pool, "resources"), what=f"measure the pool {pool}"
            )
        except LxdError:
            # Some drivers do not tell, and a pool in trouble must not hide the others.
            return None
        return dict(found or {})

    def create_pool(self, name: str, driver: str, config: Mapping[str, str]) -> None:
        body = {"name": name, "driver": driver, "config": dict(config)}
        self._rest.post(
            "storage-pools", body, what=f"create the storage pool {name}", read_timeout=_PATIENCE
        )

    def networks(self) -> tuple[Network, ...]:
        found = self._rest.get("networks", what="list its networks", params={**self._here, **_LIST})
        return tuple(parse.network(raw) for raw in found or ())

    def create_network(self, name: str, config: Mapping[str, str]) -> None:
        body = {"name": name, "type": "bridge", "config": dict(config)}
        self._rest.post(
            "networks",
            body,
            what=f"create the network {name}",
            params=self._here,
            read_timeout=_PATIENCE,
        )

    def network_acls(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        try:
            found = self._rest.get(
                "network-acls", what="list its network ACLs", params={**self._here, **_LIST}
            )
        except NotFound:
            return {}
        return {raw["name"]: tuple(map(_set_alone, raw.get("ingress") or ())) for raw in found}

    def set_network_acl(self, name: str, ingress: Sequence[Mapping[str, str]]) -> None:
        what, where = f"set the network ACL {name}", path("network-acls", name)
        body = {"ingress": [dict(rule) for rule in ingress], "egress": [], "config": {}}
        try:
            _, etag = self._rest.get_tagged(where, what=what, params=self._here)
        except NotFound:
            made = {**body, "name": name}
            self._rest.post("network-acls", made, what=what, params=self._here)
            return
        self._rest.put(where, body, what=what, params=self._here, etag=etag, read_timeout=_PATIENCE)

    def profile(self, name: str) -> Profile | None:
        try:
            found = self._rest.get(
                path("profiles", name), what=f"show the profile {name}", params=self._here
            )
        except NotFound:
            return None
        return parse.profile(found)

    def set_profile_devices(self, name: str, devices: Mapping[str, Mapping[str, str]]) -> None:
        what, where = f"change the profile {name}", path("profiles", name)
        raw, etag = self._rest.get_tagged(where, what=what, params=self._here)
        body = {
            "config": raw.get("config") or {},
            "description": raw.get("description", ""),
            "devices": {device: dict(keys) for device, keys in devices.items()},
        }
        self._rest.put(where, body, what=what, params=self._here, etag=etag, read_timeout=_PATIENCE)

    def set_profile(
        self, name: str, config: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]
    ) -> None:
        what, where = f"change the profile {name}", path("profiles", name)
        body = {
            "config": dict(config),
            "devices": {device: dict(keys) for device, keys in devices.items()},
        }
        try:
            raw, etag = self._rest.get_tagged(where, what=what, params=self._here)
        except NotFound:
            made = {**body, "name": name}
            self._rest.post("profiles", made, what=f"make the profile {name}", params=self._here)
            return
        body["description"] = raw.get("description", "")
        self._rest.put(where, body, what=what, params=self._here, etag=etag, read_timeout=_PATIENCE)


def _set_alone(rule: Mapping[str, Any]) -> Mapping[str, str]:
    """LXD tells empty fields, too."""
    return {key: value for key, value in rule.items() if value}
