"""Containers and kept roots: what differs from the file, and which of the two counts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from lab import labels
from lab.gpus.allocation import users
from lab.gpus.devices import pci_of
from lab.lxd.devices import Device
from lab.lxd.idmap import IdRange, own_range
from lab.lxd.model import Instance
from provision.lab_state import keys
from provision.lab_state.actions import PutInstance, Told
from provision.lab_state.document import LabState, SavedInstance
from provision.lab_state.facts import Facts

_IDMAP = "security.idmap."
_ADDRESSES = ("ipv4.address", "ipv6.address", "hwaddr")
_HARDWARE = ".hwaddr"
_IMAGE = "volatile.base_image"


def instance_steps(
    told: SavedInstance, state: LabState, facts: Facts, *, from_file: bool
) -> Iterator[PutInstance | Told]:
    there = facts.instances.get(told.name)
    if there is None:
        yield _missing(told, facts)
        return
    if not keys.is_marked(there.config):
        yield Told(
            subject=told.name,
            text="an instance of that name is there that labstamp did not make; it stays",
        )
        return
    differing = _differing(told, there)
    if differing is None:
        return
    if told.config.get(_IMAGE) != there.config.get(_IMAGE):
        yield Told(
            subject=told.name,
            text="has another root than when the file was written, and stays as it is",
        )
        return
    if not from_file and (reason := _newer(facts.written.get(told.name), state)):
        yield Told(
            subject=told.name,
            text=f"{reason}, so these stay as they are: {', '.join(differing.parts)}",
            fix="To have them as in the file, add: --from-file",
        )
        return
    if labels.UPGRADE in told.config:
        yield differing  # it has addresses and ids of its container, and never runs beside it
        return
    yield from _without_conflicts(differing, facts)


def _missing(told: SavedInstance, facts: Facts) -> Told:
    if labels.UPGRADE in told.config and labels.OWNER not in told.config:
        return Told(subject=told.name, text="not in LXD: it was a root that an upgrade had kept")
    home = next(
        (
            f"{device['source']} in {device['pool']}"
            for device in told.devices.values()
            if device.get("path") == "/home"
            and (device.get("pool", ""), device.get("source", "")) in facts.volumes
        ),
        None,
    )
    fix = f"invoke restore-backup {told.name}"
    if home is None:
        return Told(subject=told.name, text="neither the container nor its home is there", fix=fix)
    return Told(
        subject=told.name,
        text=f"the container is not there; its home is (volume {home})",
        fix=f"{fix}, or a new container with that home: invoke provision {told.name}",
    )


def _newer(written: datetime | None, state: LabState) -> str | None:
    """Why the file does not count; None where it does."""
    if written is None:
        return "it is not known here whether LXD's own record is newer than the file"
    if written > datetime.fromisoformat(state.written):
        return "LXD's own record of it is newer than the file"
    return None


def _differing(told: SavedInstance, there: Instance) -> PutInstance | None:
    """What is put back; None where nothing differs. What the file does not have stays."""
    wanted = keys.wishes(_as_instance(told, there))
    has = keys.wishes(there)
    config = {key: value for key, value in wanted.items() if has.get(key) != value}
    devices = {
        name: device
        for name, device in told.devices.items()
        if dict(there.devices.get(name, {})) != dict(device)
    }
    profiles = told.profiles if told.profiles != there.profiles else None
    description = told.description if told.description != there.description else None
    if not config and not devices and profiles is None and description is None:
        return None
    return PutInstance(
        name=told.name,
        config=config,
        devices=devices,
        profiles=profiles,
        description=description,
    )


def _as_instance(told: SavedInstance, there: Instance) -> Instance:
    return Instance(
        name=told.name,
        state=there.state,
        config=told.config,
        devices=told.devices,
        created_at=there.created_at,
    )


def _without_conflicts(put: PutInstance, facts: Facts) -> Iterator[PutInstance | Told]:
    """PUT without what another instance has by now, or what is not in the server any more."""
    devices: dict[str, Mapping[str, str]] = {}
    problems: list[Told] = []
    for name, device in put.devices.items():
        reason = _taken(put.name, device, facts) or _no_gpu(put.name, device, facts)
        if reason is None:
            devices[name] = device
        else:
            problems.append(Told(subject=put.name, text=f"device {name} is not put back: {reason}"))
    config = dict(put.config)
    for key in [key for key in config if key.endswith(_HARDWARE)]:
        if (other := _with_address(put.name, config[key], facts)) is not None:
            problems.append(
                Told(subject=put.name, text=f"{key} is not put back: {other} has it now")
            )
            del config[key]
    if (reason := _ids_taken(put.name, config, facts)) is not None:
        problems.append(Told(subject=put.name, text=f"its ids are not put back: {reason}"))
        config = {key: value for key, value in config.items() if not key.startswith(_IDMAP)}
    if config or devices or put.profiles is not None or put.description is not None:
        yield PutInstance(
            name=put.name,
            config=config,
            devices=devices,
            profiles=put.profiles,
            description=put.description,
        )
    yield from problems


def _taken(name: str, device: Device, facts: Facts) -> str | None:
    for key in _ADDRESSES if device.get("type") == "nic" else ():
        value = device.get(key)
        if value and (other := _with_address(name, value, facts)) is not None:
            return f"{other} has the address {value} now"
    return None


def _with_address(name: str, value: str, facts: Facts) -> str | None:
    """The other instance that has VALUE as an address of a NIC."""
    for other in facts.instances.values():
        if other.name == name or labels.UPGRADE in other.config:
            continue
        own = {item for key, item in other.config.items() if key.endswith(_HARDWARE)}
        for device in other.expanded_devices.values():
            own |= {device[key] for key in _ADDRESSES if key in device}
        if value in own - {"none", "auto"}:
            return other.name
    return None


def _no_gpu(name: str, device: Device, facts: Facts) -> str | None:
    """Why a GPU is not given; None for one that is there and has room, and other devices."""
    pci = pci_of(device) if device.get("type") == "gpu" else None
    if pci is None:
        return None
    if all(gpu.pci != pci for gpu in facts.gpus):
        return f"there is no GPU {pci} in this server"
    limit = facts.policy.limit
    others = [user for user in users(facts.gpu_users, facts.gpus).get(pci, ()) if user != name]
    if limit is not None and len(others) >= limit:
        return f"{', '.join(others)} has the GPU {pci} now"
    return None


def _ids_taken(name: str, config: Mapping[str, str], facts: Facts) -> str | None:
    base = config.get("security.idmap.base", "")
    if not base.isdecimal():
        return None
    size = config.get("security.idmap.size", "65536")
    wanted = IdRange(int(base), int(size) if size.isdecimal() else 65536)
    for other in facts.instances.values():
        own = own_range(other)
        is_other = other.name != name and labels.UPGRADE not in other.config
        if is_other and own is not None and own.overlaps(wanted):
            return f"{other.name} has them now"
    return None
