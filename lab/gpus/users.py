"""Which instances use GPUs: all instances of the server, in every project."""

from __future__ import annotations

from dataclasses import replace

from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings


def instances_with_gpus(lxd: Lxd, settings: Settings) -> tuple[Instance, ...]:
    """Of the lab's own project by name, of another as `PROJECT/NAME`.

    Not those of the build project: the pipeline gives GPUs back within minutes.
    """
    found = list(lxd.instances())
    for project in lxd.projects():
        if project not in {lxd.project, settings.build_project}:
            found += [
                replace(instance, name=f"{project}/{instance.name}")
                for instance in lxd.in_project(project).instances()
            ]
    return tuple(found)
