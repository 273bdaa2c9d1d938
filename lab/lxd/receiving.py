"""Taking over instances and volumes from another LXD."""

from __future__ import annotations

from collections.abc import Mapping

from lab.lxd.model import Instance, InstanceSpec
from lab.lxd.port import Lxd, OnProgress
from lab.lxd.rest import path
from lab.lxd.transfers import Receiving, Sending, TransferCalls, calls_of
from lab.wait import poll


class ReceivingCalls(TransferCalls):
    def receive_instance(
        self,
        source: Lxd,
        name: str,
        spec: InstanceSpec,
        *,
        refresh: bool = False,
        snapshots: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Instance:
        there = calls_of(source)
        what = f"receive {name} at {self.place} from {there.place}"
        raw = there.raw_instance(name)
        body = {
            "name": spec.name,
            "type": "container",
            "architecture": raw["architecture"],
            "description": spec.description,
            "config": self._possible(spec.config),
            "devices": {device: dict(keys) for device, keys in spec.devices.items()},
            "profiles": list(spec.profiles),
            "source": {
                "type": "migration",
                "base-image": spec.config.get("volatile.base_image", ""),
                "instance_only": not snapshots,
                "refresh": refresh,
            },
        }
        self.transfer(
            Receiving(where="instances", body=body, what=what),
            Sending(
                source=there,
                where=path("instances", name),
                # It may run: what its user writes meanwhile is for the next time.
                body={
                    "name": name,
                    "migration": True,
                    "instance_only": not snapshots,
                    # LXD takes it for true where it is not said, and wants CRIU.
                    "live": False,
                    "allow_inconsistent": True,
                },
                what=f"send {name}",
            ),
            on_progress,
        )
        return self._shown(spec.name)

    def receive_volume(
        self,
        source: Lxd,
        origin: tuple[str, str],
        pool: str,
        name: str,
        config: Mapping[str, str],
        *,
        refresh: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        there = calls_of(source)
        what = f"receive the volume {origin[1]} at {self.place} from {there.place}"
        body = {
            "name": name,
            "type": "custom",
            "content_type": "filesystem",
            "config": dict(config),
            "source": {
                "type": "migration",
                "pool": origin[0],
                "name": origin[1],
                "volume_only": False,
                "refresh": refresh,
            },
        }
        self.transfer(
            Receiving(where=path("storage-pools", pool, "volumes", "custom"), body=body, what=what),
            Sending(
                source=there,
                where=path("storage-pools", origin[0], "volumes", "custom", origin[1]),
                body={"name": origin[1], "migration": True},
                what=f"send the volume {origin[1]}",
            ),
            on_progress,
        )

    def wait_until_volume_idle(self, pool: str, name: str, *, timeout: float = 600) -> None:
        whole = f"/{pool}/volumes/custom/{name}"

        def idle() -> bool | None:
            found = self._rest.get(
                "operations",
                what="list its operations",
                params={**self._here, "recursion": "1"},
            )
            every = [one for group in (found or {}).values() for one in group]
            busy = any(
                url.partition("?")[0].endswith(whole)
                for one in every
                if one["status_code"] < 200
                for url in (one.get("resources") or {}).get("storage_volumes") or ()
            )
            return None if busy else True

        poll(idle, what=f"LXD's own work on the volume {name}", timeout=timeout, every=0.2)
