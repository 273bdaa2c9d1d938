"""What of a container, and of its home, is written into a backup's manifest."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from lab import labels
from lab.errors import InputError
from lab.gpus.devices import gpus_of
from lab.lxd.devices import devices_of, root_of
from lab.lxd.idmap import ON_DISK, ON_VOLUME, IdRange, kept_range, read_map, same_map
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from lab.places import version
from provision.backup.manifest import FORMAT, Home, Manifest, Part, Root, ToldWish
from provision.backup.pack import Tree
from provision.snapshots.wish import IDENTITY, wish_of
from provision.upgrade.address import held_address

OF_THE_ROOT: Final = (labels.TEMPLATE, labels.VERSION, labels.DRIVER, IDENTITY)
_IMAGE: Final = "image."


def root_tree(lxd: Lxd, instance: Instance, snapshot: str | None = None) -> Tree:
    """Where the files of its root are. InputError where they are not to be seen from here."""
    root = root_of(devices_of(instance))
    place = lxd.root_files(root[1].get("pool", ""), instance.name, snapshot) if root else None
    if place is None:
        raise not_here(instance.name)
    return Tree(place=place, range=_range_on(instance.config.get(ON_DISK), instance.name))


def home_tree(lxd: Lxd, home: Volume, snapshot: str | None = None) -> Tree:
    """The same of a home."""
    place = lxd.volume_files(home.pool, home.name, snapshot)
    if place is None:
        raise not_here(home.name)
    return Tree(place=place, range=_range_on(home.config.get(ON_VOLUME), home.name))


def describe_root(lxd: Lxd, instance: Instance, home: Volume, part: Part) -> Root:
    wish = wish_of(instance, home)
    return Root(
        part=part,
        wish=ToldWish(
            config=dict(wish.config),
            devices={name: dict(device) for name, device in wish.devices.items()},
            profiles=tuple(wish.profiles),
            description=wish.description,
        ),
        config=_of_the_root(instance.config),
        image={
            name: content.decode(errors="surrogateescape")
            for name, content in lxd.image_parts(instance.name).items()
        },
        gpus=len(gpus_of(instance)),
        address=held_address(lxd, instance),
        running=instance.state is State.RUNNING,
    )


def describe(
    lxd: Lxd, name: str, instance: Instance | None, home: Volume, now: datetime
) -> Manifest:
    """Whose it is. ROOT and the part of HOME are to be filled in."""
    config = instance.config if instance is not None else home.config
    ids = kept_range(home.config)
    return Manifest(
        format=FORMAT,
        name=name,
        account=config[labels.OWNER],
        project=lxd.project,
        taken_at=now.isoformat(),
        host=socket.gethostname(),
        labstamp=version(),
        template=config.get(labels.TEMPLATE, ""),
        version=config.get(labels.VERSION, ""),
        ids=str(ids) if ids is not None else None,
        root=None,
        home=Home(
            part=NOTHING, size=home.config.get("size"), keys=home.config.get(labels.KEYS, "")
        ),
    )


NOTHING: Final = Part(sha256="", size_bytes=0, list_sha256="", files=0, content_bytes=0)


def not_here(what: str) -> InputError:
    return InputError(
        f"The files of {what} are not to be seen from here.",
        details="Backups read and write them on the server itself, as root, in pools of the "
        "drivers btrfs and dir.",
        fix="Run the command with sudo on the server that LXD runs on.",
    )


def _of_the_root(config: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in config.items() if key in OF_THE_ROOT or key.startswith(_IMAGE)
    }


def _range_on(text: str | None, what: str) -> IdRange | None:
    """None where its files have their own ids."""
    found = read_map(text)
    if found is None and text and not same_map(text, "[]"):
        raise InputError(
            f"The files of {what} have ids of more than one range.",
            details="It has `raw.idmap`, or had it.",
            fix="Remove that key and restart the container, then try again.",
        )
    return found
