"""LXD's JSON as our dataclasses: takes the fields we use, and does not mind the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lab.hardware.nvidia import Known
from lab.hardware.pci import by_address, canonical_uuid, pci_address
from lab.lxd.model import (
    Gpu,
    Image,
    Instance,
    InstanceState,
    MigPart,
    Network,
    Pool,
    Profile,
    Progress,
    Server,
    Snapshot,
    State,
    Volume,
)

Json = Mapping[str, Any]
_NVIDIA = "10de"
_EPOCH = datetime.fromtimestamp(0, tz=timezone.utc)


def server(raw: Json) -> Server:
    environment = raw.get("environment") or {}
    return Server(
        version=environment.get("server_version", ""),
        api_extensions=frozenset(raw.get("api_extensions") or ()),
        name=environment.get("server_name", ""),
        certificate=environment.get("certificate_fingerprint", ""),
    )


def pool(raw: Json, resources: Json | None) -> Pool:
    """As LXD knows it; what is beneath, it does not."""
    space = (resources or {}).get("space") or {}
    return Pool(
        name=raw["name"],
        driver=raw.get("driver", ""),
        config=raw.get("config") or {},
        total_bytes=space.get("total"),
        used_bytes=space.get("used"),
    )


def network(raw: Json) -> Network:
    return Network(
        name=raw["name"],
        type=raw.get("type", ""),
        managed=bool(raw.get("managed", False)),
        config=raw.get("config") or {},
    )


def gpus(
    raws: Iterable[Json],
    *,
    known: Mapping[str, Known] | None = None,
    parts: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Gpu, ...]:
    """Of /1.0/resources or lab.sysfs; KNOWN (by PCI address) and PARTS (by UUID) fill gaps."""
    found = [_gpu(raw, known or {}, parts or {}) for raw in raws if _is_nvidias(raw)]
    # nvidia-smi counts only those that its driver runs.
    found.sort(key=lambda gpu: (gpu.driver is None, by_address(gpu.pci)))
    return tuple(found)


def _is_nvidias(raw: Json) -> bool:
    given_away = str(raw.get("driver", "")).startswith("vfio")
    return raw.get("vendor_id") == _NVIDIA and bool(pci_address(_pci(raw))) and not given_away


def _gpu(raw: Json, known: Mapping[str, Known], parts: Mapping[str, tuple[str, ...]]) -> Gpu:
    told: Json = raw.get("nvidia") or {}
    pci = pci_address(_pci(raw)) or ""
    here = known.get(pci, Known())
    uuid = canonical_uuid(told.get("uuid") or "") or here.uuid
    return Gpu(
        pci=pci,
        uuid=uuid,
        model=told.get("model") or here.model or raw.get("product") or _nameless(raw),
        # Of another driver, nouveau's for one, it would be the kernel's version.
        driver=(raw.get("driver_version") or None) if raw.get("driver") == "nvidia" else None,
        parts=tuple(MigPart(pci=pci, uuid=part) for part in parts.get(uuid or "", ())),
    )


def _pci(raw: Json) -> str:
    return str(raw.get("pci_address") or "")


def _nameless(raw: Json) -> str:
    return f"NVIDIA {raw.get('vendor_id')}:{raw.get('product_id')}"


def profile(raw: Json) -> Profile:
    return Profile(
        name=raw["name"], config=raw.get("config") or {}, devices=raw.get("devices") or {}
    )


def image(raw: Json) -> Image:
    return Image(
        fingerprint=raw["fingerprint"],
        aliases=tuple(sorted(alias["name"] for alias in raw.get("aliases") or ())),
        properties=raw.get("properties") or {},
        size_bytes=raw.get("size", 0),
        created_at=moment(raw.get("uploaded_at")),
    )


def instance(raw: Json) -> Instance:
    return Instance(
        name=raw["name"],
        project=raw.get("project", "default"),
        state=state_of(raw.get("status")),
        config=raw.get("config") or {},
        expanded_config=raw.get("expanded_config") or {},
        devices=raw.get("devices") or {},
        expanded_devices=raw.get("expanded_devices") or {},
        profiles=tuple(raw.get("profiles") or ()),
        description=raw.get("description") or "",
        location=raw.get("location") or "none",
        created_at=moment(raw.get("created_at")),
        last_used_at=_used(raw.get("last_used_at")),
    )


def instance_state(raw: Json) -> InstanceState:
    addresses = tuple(_global_addresses(raw.get("network") or {}))
    return InstanceState(
        state=state_of(raw.get("status")),
        ipv4=tuple(address for family, address in addresses if family == "inet"),
        ipv6=tuple(address for family, address in addresses if family == "inet6"),
        disk_bytes={
            device: usage.get("usage", 0) for device, usage in (raw.get("disk") or {}).items()
        },
        memory_bytes=(raw.get("memory") or {}).get("usage", 0),
        # LXD says -1 of an instance that is stopped.
        processes=max(0, raw.get("processes") or 0),
    )


def volume(raw: Json, *, pool: str, project: str = "default") -> Volume:
    """PROJECT: the one that asks."""
    users = {named(url, "instances") for url in raw.get("used_by") or ()}
    found = sorted(user for user in users if user)
    return Volume(
        pool=pool,
        name=raw["name"],
        config=raw.get("config") or {},
        used_by=tuple(name for name, where in found if where == project),
        used_elsewhere=tuple(
            f"{name} of the project {where}" for name, where in found if where != project
        ),
    )


def snapshots(raws: Iterable[Json]) -> tuple[Snapshot, ...]:
    """Of an instance or of a custom volume, the oldest first."""
    return tuple(_snapshot(raw) for raw in sorted(raws, key=_taken))


def _taken(raw: Json) -> datetime:
    return moment(raw.get("created_at"))


def _snapshot(raw: Json) -> Snapshot:
    taken, size = _taken(raw), raw.get("size")
    return Snapshot(
        name=raw["name"].rsplit("/", 1)[-1],
        config=raw.get("config") or {},
        created_at=taken if taken > _EPOCH else None,
        # LXD says -1 of what it does not know.
        size_bytes=size if isinstance(size, int) and size >= 0 else None,
        devices=raw.get("devices") or {},
        profiles=tuple(raw.get("profiles") or ()),
    )


def _used(text: str | None) -> datetime | None:
    """LXD says the year 1970 or the year 1 of what was never used."""
    used = moment(text)
    return used if used > _EPOCH else None


def state_of(status: str | None) -> State:
    try:
        return State(status)
    except ValueError:
        return State.OTHER


def progress(metadata: Json | None) -> Progress | None:
    """What a running operation says of itself: `…_progress: "Image pack: 13% (219MB/s)"`."""
    for key, text in (metadata or {}).items():
        if key.endswith("_progress") and isinstance(text, str):
            percent = re.search(r"(\d+)%", text)
            return Progress(text=text, percent=int(percent[1]) if percent else None)
    return None


def named(url: str, kind: str) -> tuple[str, str] | None:
    """Name and project in `/1.0/KIND/NAME?project=PROJECT`; None for any other URL."""
    parts = urlsplit(url)
    segments = parts.path.strip("/").split("/")
    if len(segments) < 3 or segments[1] != kind:
        return None
    project = parse_qs(parts.query).get("project", ["default"])[0]
    return unquote(segments[2]), project


def moment(text: str | None) -> datetime:
    """LXD writes nanoseconds, which Python before 3.11 does not read."""
    if not text:
        return _EPOCH
    plain = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    # A fraction of fewer digits is valid for LXD, too, but not for Python 3.10.
    plain = re.sub(r"\.(\d{1,5})(?=[+-])", lambda found: "." + found[1].ljust(6, "0"), plain)
    read = datetime.fromisoformat(plain)
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def _global_addresses(networks: Json) -> Iterator[tuple[str, str]]:
    for name, interface in sorted(networks.items()):
        # Only the instance's own nics have a peer on the host; docker's bridges live inside.
        if not interface.get("host_name") and not name.startswith(("eth", "en")):
            continue
        for address in interface.get("addresses") or ():
            if address.get("scope") == "global":
                yield address["family"], address["address"]
