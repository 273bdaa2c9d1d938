"""Projects of labstamp's own: what is built or tried there is in no list of users' containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.lxd.port import Lxd

CONFIG: Final[Mapping[str, str]] = {
    "features.images": "false",
    "features.profiles": "false",
    "features.networks": "false",
    "features.storage.volumes": "false",
}
"""All but the list of instances is shared with the default project, such as published images."""


def own_project(lxd: Lxd, name: str) -> Lxd:
    """LXD in the project NAME, which is made where it is not there yet."""
    if name not in lxd.projects():
        lxd.create_project(name, CONFIG)
    return lxd.in_project(name)
