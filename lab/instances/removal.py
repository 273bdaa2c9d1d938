"""Taking away instances, volumes and images: the one place that does, and only what bears our mark.

Names are no proof: a lab may have a `body-base` or a `home-bob` of its own. Whatever labstamp makes
carries a key of its own from the very call that makes it. `tests/unit/test_removal.py` sees to it
that no other module asks the daemon to delete one of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.errors import Conflict
from lab.lxd.port import Lxd

_INSTANCES_AND_VOLUMES: Final = "user.lab."
_IMAGES: Final = "lab."


def remove_instance(lxd: Lxd, name: str) -> None:
    """Stop and delete NAME of LXD's project; nothing where there is none.

    Conflict, and nothing is touched, where it is somebody else's.
    """
    found = lxd.instance(name)
    if found is None:
        return
    _insist(
        found.config,
        _INSTANCES_AND_VOLUMES,
        f"instance {name} in the project {lxd.project}",
        fix=f"Rename it: lxc --project {lxd.project} rename {name} NEW-NAME",
    )
    lxd.delete(name)


def remove_volume(lxd: Lxd, pool: str, name: str) -> None:
    """Delete the custom volume NAME of POOL; nothing where there is none.

    Conflict, and nothing is touched, where it is somebody else's.
    """
    found = next((one for one in lxd.volumes(pool) if one.name == name), None)
    if found is None:
        return
    _insist(
        found.config,
        _INSTANCES_AND_VOLUMES,
        f"volume {name} in the pool {pool}",
        fix=f"Rename it: lxc storage volume rename {pool} {name} NEW-NAME",
    )
    lxd.delete_volume(pool, name)


def remove_image(lxd: Lxd, fingerprint: str) -> None:
    """Delete the image; nothing where there is none.

    Conflict, and nothing is touched, where it is somebody else's.
    """
    found = lxd.image(fingerprint)
    if found is None:
        return
    _insist(found.properties, _IMAGES, f"image {fingerprint[:12]}")
    lxd.delete_image(fingerprint)


def _insist(config: Iterable[str], mark: str, what: str, *, fix: str | None = None) -> None:
    if not any(key.startswith(mark) for key in config):
        raise Conflict(
            f"labstamp did not make the {what}.",
            details="labstamp never changes or removes what it did not make.",
            fix=fix,
        )
