"""Reads who has which ids, over all projects and pools of the server."""

from __future__ import annotations

from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from provision.ids.ranges import IdFacts, Shelf

IDS_LOCK = "ids"
"""One for the whole daemon, from choosing a range until LXD tells everybody of it."""


def read_ids(lxd: Lxd) -> IdFacts:
    projects = lxd.projects()
    pools = [pool.name for pool in lxd.pools()]
    instances: list[Instance] = []
    shelves: list[Shelf] = []
    for name, config in projects.items():
        there = lxd.in_project(name)
        instances += there.instances()
        # The others see the volumes of the default project.
        if name == "default" or config.get("features.storage.volumes") == "true":
            volumes = tuple(volume for pool in pools for volume in there.volumes(pool))
            shelves.append(Shelf(project=name, volumes=volumes))
    return IdFacts(reserved=lxd.id_range(), instances=tuple(instances), shelves=tuple(shelves))
