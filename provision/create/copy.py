"""A new container from another one's root: how it differs from one of an image. Pure."""

from __future__ import annotations

from dataclasses import replace

from lab import labels
from lab.errors import CapacityError, InputError
from lab.lxd.model import Volume
from lab.sizes import format_size
from provision.clone.source import Source
from provision.create.actions import Action, CleanCopy, CopyVolume, CreateInstance, CreateVolume
from provision.create.capacity import disk_size, home_size
from provision.create.request import Request
from provision.releases import Offer

_IDMAPS = ("volatile.idmap.last", "volatile.idmap.next")
"""Of a volume: whose the files are. Without them LXD would take the copy for a new volume."""
SPARE = 256 << 20
"""For the first boot."""


def copying(create: CreateInstance, request: Request, source: Source) -> tuple[Action, ...]:
    """CREATE, from SOURCE instead of an image. Nothing of SOURCE's config and devices is kept."""
    keys, devices = source.not_copied
    spec = create.spec
    config = {**keys, **spec.config, labels.CLONE: source.name, labels.UNCLEAN: "true"}
    return (
        replace(
            create,
            release=f"a copy of {source.name}, {create.release}",
            spec=replace(
                spec,
                image=None,
                copy_of=source.name,
                config=config,
                devices={**devices, **spec.devices},
            ),
        ),
        CleanCopy(
            name=spec.name,
            source=source.name,
            account=request.account,
            owner=source.account if source.home else None,
            keys=tuple(sorted(key for key in keys if not config[key])),
            devices=tuple(sorted(devices.keys() - spec.devices.keys())),
        ),
    )


def copying_home(create: CreateVolume, source: Volume) -> CopyVolume:
    """The volume of CREATE with the files of SOURCE."""
    kept = {key: source.config[key] for key in _IDMAPS if key in source.config}
    return CopyVolume(
        pool=create.pool,
        name=create.name,
        source=(source.pool, source.name),
        config={**create.config, **kept, labels.UNCLEAN: "true"},
        size_bytes=create.size_bytes,
    )


def check_copy(request: Request, offer: Offer, source: Source) -> None:
    """CapacityError where what is copied has no room in it."""
    for what, size, used in (
        ("disk", disk_size(request, offer), source.root_used),
        ("home", home_size(request, offer), source.home_used if source.home else None),
    ):
        if size is not None and used is not None and size < used + SPARE:
            raise CapacityError(
                f"{format_size(size)} is too small for the {what}: {source.name} uses "
                f"{format_size(used)} of its own.",
                fix=f"Give at least {format_size(used + SPARE)}: --{what} SIZE",
            )


def kept_home(name: str, home: Volume) -> InputError:
    return InputError(
        f'There is a kept home of an earlier container "{name}": {home.name} in pool {home.pool}.',
        details="It is not overwritten by a copy of another.",
        fix=f"Leave --with-home out to use it, or remove it: invoke destroy {name} --purge",
    )
