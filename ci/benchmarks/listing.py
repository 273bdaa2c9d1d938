"""`ci/bench list`: how long `list` takes for many running containers, and whom it asks.

The containers are the tests' own, of some MB, with a root and a home of their own quota each. They
live in a project of their own, on the LXD of $LXD_DIR, and are gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ci.benchmarks.lxc import query
from ci.benchmarks.machine import describe_machine
from ci.benchmarks.markdown import load_before, table
from ci.benchmarks.scene import have_pool_and_bridge
from lab import labels
from lab.console import print_text
from lab.lxd.client import connect
from lab.lxd.model import Instance, InstanceSpec, InstanceState
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.listing import containers
from tests.support.tiny_root import make_tiny_root

PROJECT = "bench-list"
SHARED = {
    "features.images": "false",
    "features.profiles": "false",
    "features.networks": "false",
    "features.storage.volumes": "false",
}
_AT_ONCE = 4
_ROOT = Path(__file__).resolve().parents[2]
KERNEL, LXD, WHOLE, BEFORE = (
    "the list, the kernel asked",
    "the list, LXD asked for each container",
    "`invoke list`, the whole command",
    "`invoke list` of an earlier version",
)
LXC, FAST = "`lxc list`", "`lxc list --fast`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    what: str
    seconds: float
    load: float


class Asking:
    """An LXD as a list finds it that must ask for each container, as every earlier version did."""

    def __init__(self, lxd: Lxd) -> None:
        self._lxd = lxd

    def local_states(self, _instances: Sequence[Instance]) -> Mapping[str, InstanceState]:
        return {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lxd, name)


def main() -> int:
    wanted = _arguments()
    if not query("/1.0/storage-pools"):
        have_pool_and_bridge(wanted.log)
    outside = connect()
    with ExitStack() as undo, tempfile.TemporaryDirectory() as directory:
        outside.create_project(PROJECT, SHARED)
        undo.callback(outside.delete_project, PROJECT)
        lxd = outside.in_project(PROJECT)
        image = lxd.import_image(*make_tiny_root(Path(directory)), properties={"os": "tiny"})
        undo.callback(lxd.delete_image, image.fingerprint)
        pool = next(pool.name for pool in lxd.pools() if pool.driver == "btrfs")
        undo.callback(_remove, lxd, pool)
        _make(lxd, pool, image.fingerprint, wanted.count)
        laps = _measure(lxd, Path(directory), wanted.rounds, wanted.before)
    _write(
        _ROOT / "docs" / "benchmarks",
        describe_machine(wanted.note, with_packer=False),
        wanted.count,
        laps,
    )
    return 0


def _names(count: int) -> list[str]:
    return [f"{PROJECT}-{number:03}" for number in range(count)]


def _make(lxd: Lxd, pool: str, fingerprint: str, count: int) -> None:
    def make(name: str) -> None:
        lxd.create_volume(pool, name, {"size": "50MiB"})
        lxd.create(
            InstanceSpec(
                name=name,
                image=fingerprint,
                config={
                    labels.OWNER: name,
                    labels.TEMPLATE: "tiny",
                    labels.VERSION: "1",
                    "limits.memory": "64MiB",
                },
                devices={
                    "root": {"type": "disk", "path": "/", "pool": pool, "size": "100MiB"},
                    "home": {"type": "disk", "path": "/home", "pool": pool, "source": name},
                },
            )
        )
        lxd.start(name)
        number = int(name.rsplit("-", 1)[1])
        address = f"198.18.{number // 250}.{number % 250 + 1}/15"
        lxd.run(name, ["ip", "addr", "add", address, "dev", "eth0"])

    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool_of_threads:
        for number, _ in enumerate(pool_of_threads.map(make, _names(count)), start=1):
            if number % 25 == 0:
                print_text(f"{number} containers run, after {time.monotonic() - began:.0f} s")


def _remove(lxd: Lxd, pool: str) -> None:
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
        list(threads.map(lxd.delete, [one.name for one in lxd.instances()]))
    for volume in lxd.volumes(pool):
        if volume.name.startswith(f"{PROJECT}-"):
            lxd.delete_volume(pool, volume.name)


def _measure(lxd: Lxd, directory: Path, rounds: int, before: Path | None) -> list[Lap]:
    settings = Settings(project=PROJECT)
    file = directory / "lab.yaml"
    file.write_text(f"project: {PROJECT}\n", encoding="utf-8")
    asking: Any = Asking(lxd)
    whole = [str(Path(sys.executable).with_name("invoke")), "list", "--json"]
    told, asked = containers(lxd, settings), containers(asking, settings)
    _insist_on_the_same(told, asked)
    works: dict[str, Callable[[], object]] = {
        KERNEL: lambda: containers(lxd, settings),
        LXD: lambda: containers(asking, settings),
        WHOLE: lambda: _run(whole, _ROOT, file),
        **({BEFORE: lambda: _run(whole, before, file)} if before else {}),
        LXC: lambda: _run(["lxc", "list", "--project", PROJECT, "-f", "json"], _ROOT, file),
        FAST: lambda: _run(
            ["lxc", "list", "--fast", "--project", PROJECT, "-f", "csv"], _ROOT, file
        ),
    }
    for work in works.values():
        work()
    laps: list[Lap] = []
    for what, work in list(works.items()) * rounds:
        laps.append(_lap(what, work))
        print_text(f"{what}: {laps[-1].seconds:.2f} s")
    _insist_on_the_same(told, containers(lxd, settings))
    return laps


def _insist_on_the_same(
    told: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]
) -> None:
    """Quick and wrong would be no gain, and who does not run any more was not listed running."""
    by = {(one["told_by"], one["state"]) for one in told}
    same = [[(one["name"], one["state"], one["ipv4"]) for one in each] for each in (told, asked)]
    if by != {("kernel", "Running")} or same[0] != same[1]:
        raise SystemExit(f"The kernel tells otherwise than LXD, or not of all: {by}")


def _run(argv: Sequence[str], place: Path, settings: Path) -> None:
    environment = {**os.environ, "LAB_SETTINGS": str(settings)}
    # As for users, whose Python keeps what it compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(argv, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)


def _lap(what: str, work: Callable[[], object]) -> Lap:
    load = os.getloadavg()[0]
    began = time.monotonic()
    work()
    return Lap(what=what, seconds=round(time.monotonic() - began, 3), load=round(load, 2))


def _write(directory: Path, machine: Mapping[str, str], count: int, laps: Sequence[Lap]) -> None:
    raw = {
        "machine": machine,
        "containers": count,
        "measured": [{"what": one.what, "seconds": one.seconds, "load": one.load} for one in laps],
    }
    (directory / "list.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    (directory / "list.md").write_text(report(machine, count, laps), encoding="utf-8")
    print_text("The report: docs/benchmarks/list.md")


def report(machine: Mapping[str, str], count: int, laps: Sequence[Lap]) -> str:
    """The document, in Markdown. Pure."""
    return "\n".join(
        [
            f"# Listing {count} running containers",
            "",
            "Made by `sudo ci/bench list`; what was measured is in [list.json](list.json). The "
            "containers are small: an init that waits,",
            "a root and a home with a quota each, a limit of memory, an address. The ways take "
            "turns. LXD asked for each container is what",
            "every earlier version did, and what `list` still does of an LXD elsewhere, of other "
            "pools than btrfs, and without root.",
            "",
            *table(("what", "found"), machine.items()),
            "",
            *table(
                ("way", "seconds: median", "least", "most", "runs"),
                (
                    _row(what, [one.seconds for one in laps if one.what == what])
                    for what in _ways(laps)
                ),
            ),
            "",
            load_before(one.load for one in laps),
            "",
        ]
    )


def _ways(laps: Iterable[Lap]) -> list[str]:
    return list(dict.fromkeys(one.what for one in laps))


def _row(what: str, seconds: Sequence[float]) -> tuple[str, ...]:
    figures = (median(seconds), min(seconds), max(seconds))
    return (what, *(f"{one:.2f}" for one in figures), str(len(seconds)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/bench list")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--note", default="")
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
