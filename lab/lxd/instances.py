"""Making, renaming and removing instances."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lab.errors import LxdError, NotFound
from lab.lxd.changes import when_free
from lab.lxd.errors import no_image
from lab.lxd.model import Instance, InstanceSpec
from lab.lxd.port import OnProgress
from lab.lxd.power import PowerCalls
from lab.lxd.privilege import asks_for_limits, may_raise_limits, without_limits
from lab.lxd.rest import path
from lab.lxd.updates import UpdateCalls


class InstanceCalls(PowerCalls, UpdateCalls):
    def create(self, spec: InstanceSpec, *, on_progress: OnProgress | None = None) -> Instance:
        what = f"create {spec.name}"
        try:
            self._rest.post(
                "instances",
                self._creation(spec),
                what=what,
                params=self._here,
                on_progress=on_progress,
            )
        except LxdError as error:
            # LXD has no code for a missing image, and words it differently from version to version.
            if spec.image is None or self._has_image(spec.image):
                raise
            raise no_image(what, spec.image) from error
        return self._shown(spec.name)

    def delete(self, name: str) -> None:
        with suppress(NotFound):
            self.stop(name, force=True)
            when_free(lambda: self._delete(name))

    def _delete(self, name: str) -> None:
        self._rest.delete(path("instances", name), what=f"delete {name}", params=self._here)

    def rename(self, name: str, new_name: str) -> None:
        # What serves its files would hold its root for 15 s, and under the new name nothing in it
        # could be read, nor could it be started, until then (seen with 5.0.2).
        self._end_file_server(name)
        self._rest.post(
            path("instances", name),
            {"name": new_name},
            what=f"rename {name} to {new_name}",
            params=self._here,
        )

    def _creation(self, spec: InstanceSpec) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": spec.name,
            "type": "container",
            "description": spec.description,
            "config": self._possible(spec.config),
            "devices": {name: dict(keys) for name, keys in spec.devices.items()},
            # LXD 5.0.2 takes a copy's profiles from here only, and finds no root disk without.
            "profiles": list(spec.profiles),
        }
        if spec.copy_of is None:
            body["source"] = {"type": "image", "fingerprint": spec.image}
        else:
            body["source"] = {
                "type": "copy",
                "source": spec.copy_of,
                "project": spec.copy_project or self._project,
                "instance_only": True,
            }
        return body

    def _possible(self, config: Mapping[str, str]) -> dict[str, str]:
        """Without limits that would keep the instance from starting: "Failed to set limit"."""
        if not asks_for_limits(config) or self._raises_limits():
            return dict(config)
        return without_limits(config)

    def _raises_limits(self) -> bool:
        if not self._rest.is_local:
            return True
        return may_raise_limits(self._rest.daemon())

    def _has_image(self, fingerprint: str) -> bool:
        try:
            self._rest.get(path("images", fingerprint), what="show an image", params=self._here)
        except NotFound:
            return False
        return True
