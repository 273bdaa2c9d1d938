"""Contender (b): Packer's LXD builder, four builders in one template file, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ci.benchmarks.inputs import DRIVERS, PLAIN, Template
from ci.benchmarks.lxc import image_sizes, remove_images, remove_instances, run
from ci.benchmarks.recipe import (
    CLEAN_UP,
    DRIVER_PLACE,
    install,
    install_driver,
    wait_for_network,
)
from ci.benchmarks.results import Measured, Stopwatch
from ci.benchmarks.scene import Scene

NAME = "Packer"
_PREFIX = "bench-packer-"


def forget(scene: Scene) -> None:
    """Remove all that an earlier round made."""
    remove_instances(_PREFIX, scene.log)
    remove_images(_PREFIX, scene.log)


def measure(scene: Scene, round_: int) -> list[Measured]:
    """Build all templates from the plain image."""
    forget(scene)
    package = scene.driver(DRIVERS[0]) / "userland.deb"
    file = scene.directory / "packer.json"
    file.write_text(
        json.dumps(packer_file(scene.released, scene.mirror_host, package), indent=2),
        encoding="utf-8",
    )
    watch = Stopwatch(NAME, "cold", round_)
    run(
        ["packer", "build", "-color=false", str(file)],
        scene.log,
        env={"CHECKPOINT_DISABLE": "1", "TMPDIR": str(scene.directory)},
    )
    watch.lap()
    done = watch.stop(sizes=image_sizes(_PREFIX))
    forget(scene)
    return [done]


def packer_file(
    templates: Sequence[Template], mirror_host: str, package: Path
) -> dict[str, list[dict[str, object]]]:
    """Packer's template: what is typed by hand, as builders and provisioners."""
    names = [template.name for template in templates]
    return {
        "builders": [_builder(template) for template in templates],
        "provisioners": [
            _shell([wait_for_network(mirror_host)], names),
            *(_shell(install(template), [template.name]) for template in templates),
            {"type": "file", "source": str(package), "destination": DRIVER_PLACE},
            _shell([*install_driver(), *CLEAN_UP], names),
        ],
    }


def _builder(template: Template) -> dict[str, object]:
    name = _PREFIX + template.name
    return {
        "type": "lxd",
        "name": template.name,
        "image": PLAIN,
        "container_name": name,
        "output_image": name,
        "launch_config": dict(template.config),
        "publish_properties": {"description": name},
    }


def _shell(commands: Sequence[str], only: list[str]) -> dict[str, object]:
    return {
        "type": "shell",
        "inline": list(commands),
        "environment_vars": ["DEBIAN_FRONTEND=noninteractive"],
        "only": only,
    }
