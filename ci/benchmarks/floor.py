"""The floor: bare `apt-get install` with warm archives, and publish; what no pipeline can beat.

In labstamp's order and with its means (the parent first, children as copy-on-write clones side by
side, eatmydata, unsafe I/O, zstd), but without rendering, cloud-init, scripts and bookkeeping.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from shlex import quote

from ci.benchmarks.inputs import DRIVERS, PLAIN, Template
from ci.benchmarks.lxc import image_sizes, query, remove_images, remove_instances, run
from ci.benchmarks.recipe import DRIVER_PLACE, install_driver, wait_for_network
from ci.benchmarks.results import Measured, Stopwatch
from ci.benchmarks.scene import POOL, Scene
from images.build.pipeline import default_jobs
from images.build.scheduler import Step, side_by_side

NAME = "floor"
_PREFIX = "bench-floor-"
_WARM = _PREFIX + "warm"
_VOLUME = _PREFIX + "apt"
# Lists and archives are in a volume at /mnt, so that nothing of them is in what is published.
_APT = (
    "eatmydata apt-get -q -y -o DPkg::Options::=--force-unsafe-io -o Debug::NoLocking=1 "
    "-o Dir::State::Lists=/mnt/lists -o Dir::Cache::Archives=/mnt/archives"
)
_LXC = ("lxc", "-q")


def forget(scene: Scene) -> None:
    """Remove all that an earlier round made."""
    remove_instances(_PREFIX, scene.log)
    remove_images(_PREFIX, scene.log)
    if f"/1.0/storage-pools/{POOL}/volumes/custom/{_VOLUME}" in query(
        f"/1.0/storage-pools/{POOL}/volumes/custom"
    ):
        run([*_LXC, "storage", "volume", "delete", POOL, _VOLUME], scene.log)


def measure(scene: Scene, round_: int) -> list[Measured]:
    """Install and publish all templates; then only the driver's package on top of each."""
    forget(scene)
    _download(scene)
    cold = Stopwatch(NAME, "cold", round_)
    _run_steps(_cold_steps(scene, cold))
    cold.lap()
    done = [cold.stop(sizes=image_sizes(_PREFIX))]
    remove_images(_PREFIX, scene.log)
    changed = Stopwatch(NAME, "driver change", round_)
    _run_steps(
        Step(name=one.name, do=partial(_change_driver, scene, one, changed))
        for one in scene.released
    )
    done.append(changed.stop())
    forget(scene)
    return done


def _cold_steps(scene: Scene, watch: Stopwatch) -> Iterable[Step]:
    for one in scene.templates:
        after = frozenset({f"body of {one.parent}"} if one.parent else ())
        body = f"body of {one.name}"
        yield Step(name=body, do=partial(_install, scene, one, watch), after=after)
        if one.abstract:
            continue
        publish = partial(_publish, scene, _PREFIX + one.name, one, watch)
        yield Step(name=one.name, do=publish, after=frozenset({body}))


def _run_steps(steps: Iterable[Step]) -> None:
    outcome = side_by_side(list(steps), jobs=default_jobs(), stop=threading.Event())
    for error in outcome.errors.values():
        raise error


def _download(scene: Scene) -> None:
    """Lists and packages of all templates into the volume; not timed."""
    run([*_LXC, "storage", "volume", "create", POOL, _VOLUME], scene.log)
    run([*_LXC, "init", PLAIN, _WARM], scene.log)
    run([*_LXC, "storage", "volume", "attach", POOL, _VOLUME, _WARM, "/mnt"], scene.log)
    run([*_LXC, "start", _WARM], scene.log)
    inside = _inside(scene, _WARM)
    inside(wait_for_network(scene.mirror_host))
    inside("mkdir -p /mnt/lists/partial /mnt/archives/partial")
    inside(f"{_APT} update")
    for one in scene.templates:
        inside(f"{_APT} install --download-only --no-install-recommends {_words(one.packages)}")
    inside("touch /etc/cloud/cloud-init.disabled")
    run([*_LXC, "stop", "--force", _WARM], scene.log)


def _install(scene: Scene, template: Template, watch: Stopwatch) -> None:
    name = _PREFIX + template.name
    with watch.phase(template.name, "clone and start"):
        origin = _PREFIX + template.parent if template.parent else _WARM
        needs = [word for item in template.config.items() for word in ("-c", "=".join(item))]
        run([*_LXC, "copy", origin, name, *needs], scene.log)
        _start(scene, name)
    with watch.phase(template.name, "apt-get install"):
        inside = _inside(scene, name)
        inside(f"{_APT} install --no-download --no-install-recommends {_words(template.own)}")
        inside("rm -f /var/cache/apt/*.bin")
    run([*_LXC, "stop", "--force", name], scene.log)


def _change_driver(scene: Scene, template: Template, watch: Stopwatch) -> None:
    name = f"{_PREFIX}layer-{template.name}"
    with watch.phase(template.name, "clone and start"):
        run([*_LXC, "copy", _PREFIX + template.name, name], scene.log)
        _start(scene, name)
    with watch.phase(template.name, "apt-get install"):
        package = scene.driver(DRIVERS[1]) / "userland.deb"
        run([*_LXC, "file", "push", str(package), f"{name}{DRIVER_PLACE}"], scene.log)
        for command in install_driver():
            _inside(scene, name)(command)
    run([*_LXC, "stop", "--force", name], scene.log)
    _publish(scene, name, template, watch)


def _publish(scene: Scene, name: str, template: Template, watch: Stopwatch) -> None:
    with watch.phase(template.name, "publish"):
        alias = _PREFIX + template.name
        run([*_LXC, "publish", name, "--alias", alias, "--compression", "zstd"], scene.log)


def _start(scene: Scene, name: str) -> None:
    run([*_LXC, "start", name], scene.log)
    _inside(scene, name)("until [ -S /run/systemd/private ]; do sleep 0.1; done")


def _inside(scene: Scene, name: str) -> Callable[[str], object]:
    words = [*_LXC, "exec", name, "--env", "DEBIAN_FRONTEND=noninteractive", "--", "sh", "-c"]
    return lambda command: run([*words, command], scene.log)


def _words(packages: Iterable[str]) -> str:
    return " ".join(quote(name) for name in packages)
