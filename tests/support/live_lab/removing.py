"""What tests made, away again."""

from __future__ import annotations

from tests.support.live_lab.lab import instances, lxc, query


def remove_instance(name: str) -> None:
    """Of the default project; also when it is not there."""
    if name in instances("default"):
        lxc("delete", "--force", name)


def remove_lab(prefix: str, project: str) -> None:
    """Images, instances and the build project of a test's lab, whatever state they are in."""
    projects = [path.rsplit("/", 1)[1] for path in query("/1.0/projects")]
    if project in projects:
        for instance in query(f"/1.0/instances?recursion=1&project={project}"):
            lxc("delete", "--force", instance["name"], project=project)
    for image in query("/1.0/images?recursion=1"):
        if any(alias["name"].startswith(f"{prefix}/") for alias in image["aliases"]):
            lxc("image", "delete", image["fingerprint"])
    if project in projects:
        lxc("project", "delete", project)
    for pool in query("/1.0/storage-pools?recursion=1"):
        for volume in query(f"/1.0/storage-pools/{pool['name']}/volumes/custom?recursion=1"):
            if volume["name"].startswith((f"{project}-apt-", f"{project}-home-")):
                lxc("storage", "volume", "delete", pool["name"], volume["name"])
