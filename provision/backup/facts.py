"""What is so now on the server that a backup is restored to, read in one go."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.host_gpus import read_host_gpus
from lab.lxd.devices import required_pool
from lab.lxd.model import Instance, Profile
from lab.lxd.port import Lxd
from lab.machine.local_daemon import lxd_directory
from lab.settings.settings import Settings
from provision.backup.leftovers import is_half, is_half_home
from provision.backup.manifest import Manifest
from provision.backup.restore_plan import named_paths
from provision.backup.restored import Facts
from provision.create.gpu_facts import read_gpus
from provision.homes import read_stores
from provision.ids.facts import read_ids


def read(lxd: Lxd, settings: Settings, manifest: Manifest) -> Facts:
    default = lxd.profile("default") or Profile(name="default")
    pool = required_pool(settings.pool, default.devices, lxd.pools())
    stores = read_stores(lxd)
    there = stores.home(manifest.name, pool.name)
    # What a killed run left is removed, or finished, before anything else is done.
    home = None if there is None or is_half_home(there) else there
    named = manifest.root.wish.profiles if manifest.root else ()
    found = {name: lxd.profile(name) for name in {"default", *named}}
    return Facts(
        project=lxd.project,
        pool=pool,
        instances=tuple(one for one in stores.instances if not _is_left(one, manifest.name)),
        home=home,
        home_name=home.name if home else stores.new_name(manifest.name, pool.name),
        volumes=frozenset((one.pool, one.name) for one in stores.volumes),
        networks=_networks(lxd),
        profiles={name: one for name, one in found.items() if one is not None},
        missing_paths=frozenset(
            str(path) for path in named_paths(manifest.root) if not path.exists()
        ),
        ids=read_ids(lxd),
        gpus=read_gpus(lxd, read_host_gpus(lxd, settings), None),
        images_free=_free_for_images(),
    )


def _is_left(instance: Instance, name: str) -> bool:
    return instance.name == name and is_half(instance)


def _networks(lxd: Lxd) -> frozenset[str]:
    """Those of LXD, and the interfaces of this machine, which NICs may name, too."""
    interfaces = Path("/sys/class/net")
    own = {one.name for one in interfaces.iterdir()} if interfaces.is_dir() else set()
    return frozenset(own | {one.name for one in lxd.networks()})


def _free_for_images() -> int | None:
    try:
        return shutil.disk_usage(lxd_directory()).free
    except OSError:
        return None
