"""What a container has that a range of ids of its own has no room for."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError, LxdError
from lab.instances.boot import wait_for_init
from lab.lxd.idmap import SIZE
from lab.lxd.model import Volume
from lab.lxd.port import Lxd
from provision.managed import managed_container

_LOOK = 900.0


def refuse_large_ids(lxd: Lxd, name: str, volumes: Sequence[Volume]) -> None:
    """InputError where a file's owner is beyond a range: LXD would leave it to nobody.

    Starts it. Asked inside, where all of VOLUMES are; who answers wrongly there harms only himself.
    """
    lxd.start(name)
    wait_for_init(lxd, name)
    instance = managed_container(lxd, name)
    names = {(one.pool, one.name) for one in volumes}
    places = [
        device["path"]
        for device in instance.expanded_devices.values()
        if (device.get("pool"), device.get("source")) in names and device.get("path")
    ]
    beyond = f"+{SIZE - 1}"
    # fmt: off
    look = ["find", "/", *places, "-xdev",
            "(", "-uid", beyond, "-o", "-gid", beyond, ")", "-print", "-quit"]
    # fmt: on
    found = lxd.run(name, look, timeout=_LOOK)
    if found.exit_code == 127:
        raise LxdError(
            f"There is no `find` in {name}, so the owners of its files cannot be checked.",
            fix=f"Install findutils in the container, then run: invoke isolate {name}",
        )
    if found.stdout.strip():
        raise InputError(
            f"{name} has files of the ids {SIZE} and above, which do not exist in its new range.",
            details=ascii(found.stdout.strip()[:200]),
            fix=f"Change their owners in the container, or remove them:\n"
            f"find / -xdev '(' -uid {beyond} -o -gid {beyond} ')' -ls",
        )
