"""Contender (a): the guides' recipe, typed as `lxc` commands, one template after the other."""

from __future__ import annotations

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

NAME = "by hand"
_PREFIX = "bench-hand-"


def forget(scene: Scene) -> None:
    """Remove all that an earlier round made."""
    remove_instances(_PREFIX, scene.log)
    remove_images(_PREFIX, scene.log)


def measure(scene: Scene, round_: int) -> list[Measured]:
    """Build all templates from the plain image."""
    forget(scene)
    watch = Stopwatch(NAME, "cold", round_)
    for template in scene.released:
        with watch.phase(template.name):
            _build(scene, template)
    watch.lap()
    done = watch.stop(sizes=image_sizes(_PREFIX))
    forget(scene)
    return [done]


def _build(scene: Scene, template: Template) -> None:
    name = _PREFIX + template.name
    needs = [word for key, value in template.config.items() for word in ("-c", f"{key}={value}")]
    lxc = ["lxc", "-q"]
    run([*lxc, "launch", PLAIN, name, *needs], scene.log)
    inside = [*lxc, "exec", name, "--env", "DEBIAN_FRONTEND=noninteractive", "--", "sh", "-c"]
    run([*inside, wait_for_network(scene.mirror_host)], scene.log)
    for command in install(template):
        run([*inside, command], scene.log)
    package = scene.driver(DRIVERS[0]) / "userland.deb"
    run([*lxc, "file", "push", str(package), f"{name}{DRIVER_PLACE}"], scene.log)
    for command in (*install_driver(), *CLEAN_UP):
        run([*inside, command], scene.log)
    run([*lxc, "stop", name], scene.log)
    run([*lxc, "publish", name, "--alias", name], scene.log)
