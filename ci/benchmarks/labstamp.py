"""Contender (c): labstamp, with its own defaults, told what differs by a settings file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ci.benchmarks.inputs import DRIVERS, PLAIN
from ci.benchmarks.lxc import image_sizes, query, remove_images, remove_instances, run
from ci.benchmarks.results import Measured, Stopwatch
from ci.benchmarks.scene import BRIDGE, POOL, Scene
from lab.errors import CheckError

NAME = "labstamp"
DEFAULT = "cold, with every check"
"""The command that an admin types, and waits for: `invoke build-images`."""
NOTHING_RUNS = 3
_PREFIX = "bench"
_PROJECT = "bench-build"
_ROW = re.compile(
    r"^\s*(?:(?P<template>\S+) (?:\d{8}\.\d+|body))?\s+(?P<phase>\S.*?)\s{2,}"
    r"(?P<seconds>\d+\.\d)\s*$"
)


def forget(scene: Scene) -> None:
    """Remove all that an earlier round made: bodies, releases, downloaded packages."""
    if _PROJECT in {path.rsplit("/", 1)[1] for path in query("/1.0/projects")}:
        remove_instances("", scene.log, _PROJECT)
        run(["lxc", "-q", "project", "delete", _PROJECT], scene.log)
    remove_images(f"{_PREFIX}/", scene.log)
    for path in query(f"/1.0/storage-pools/{POOL}/volumes/custom"):
        volume = path.rsplit("/", 1)[1]
        if volume.startswith(_PROJECT):
            run(["lxc", "-q", "storage", "volume", "delete", POOL, volume], scene.log)


def measure(scene: Scene, round_: int) -> list[Measured]:
    """From nothing, with checks and without; after a driver change; with nothing to do."""
    forget(scene)
    checked = _build(scene, DEFAULT, round_, DRIVERS[0])
    forget(scene)
    cold = _build(scene, "cold", round_, DRIVERS[0], "--no-smoke")
    changed = _build(scene, "driver change", round_, DRIVERS[1], "--no-smoke")
    if any(phase == "cloud-init" for _, phase, _ in changed.phases):
        raise CheckError("After a driver change a body was built, too.")
    nothing = [_do_nothing(scene, round_) for _ in range(NOTHING_RUNS)]
    return [checked, cold, changed, *nothing]


def phases_of(said: str) -> Iterator[tuple[str, str, float]]:
    """Template, phase, seconds: the timetable at the end of what a build printed."""
    template = ""
    for line in said.splitlines():
        row = _ROW.match(line)
        if row and row["phase"] != "in all":
            template = row["template"] or template
            yield template, row["phase"], float(row["seconds"])


def _build(scene: Scene, case: str, round_: int, driver: str, *options: str) -> Measured:
    _settings(scene).write_text(
        json.dumps(
            {
                "build-project": _PROJECT,
                "alias-prefix": _PREFIX,
                "pool": POOL,
                "network": BRIDGE,
                "source": {"kind": "instance", "name": PLAIN},
                "driver": {
                    "delivery": "image",
                    "version": driver,
                    "packages": str(scene.driver(driver)),
                },
            }
        ),
        encoding="utf-8",
    )
    watch = Stopwatch(NAME, case, round_)
    said = _invoke(scene, "build-images", *options)
    watch.lap()
    return watch.stop(sizes=image_sizes(f"{_PREFIX}/"), phases=phases_of(said))


def _do_nothing(scene: Scene, round_: int) -> Measured:
    watch = Stopwatch(NAME, "nothing", round_)
    said = _invoke(scene, "build-images")
    watch.lap()
    if not said.endswith("Nothing to do.\n"):
        raise CheckError("labstamp found something to do where nothing had changed.", details=said)
    return watch.stop()


def _invoke(scene: Scene, *arguments: str) -> str:
    return run(
        [str(scene.root / ".venv/bin/invoke"), *arguments],
        scene.log,
        cwd=scene.root,
        env={"LAB_SETTINGS": str(_settings(scene)), "CI": "true"},
    )


def _settings(scene: Scene) -> Path:
    return scene.directory / "lab.yaml"
