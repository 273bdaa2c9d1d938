"""`ci/bench provision` and `ci/bench apply`: from nothing until a person can log in by ssh.

Beside it what an admin types who has LXD alone (`ci.benchmarks.typed`), from the same images. Both
take turns in one run, on the LXD of $LXD_DIR, which is gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.benchmarks import typed
from ci.benchmarks.lifecycle import Commands, make_key
from ci.benchmarks.lxc import run
from ci.benchmarks.machine import describe_machine
from ci.benchmarks.stamping_report import APPLY, BY_HAND, LABSTAMP, PROVISION, Lap, write
from lab.console import print_text

_ROOT = Path(__file__).resolve().parents[2]
TEMPLATES: Final = ("base", "docker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    invoke: Commands
    key: Path
    log: Path
    place: Path


def main() -> int:
    wanted = _arguments()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        invoke = Commands(place, wanted.log, "lab")
        bench = Bench(
            invoke=invoke,
            key=Path(make_key(place).removesuffix(".pub")),
            log=wanted.log,
            place=place,
        )
        _prepare(bench, TEMPLATES if wanted.what == PROVISION else ("base",))
        laps = list(
            _provision(bench, wanted.rounds)
            if wanted.what == PROVISION
            else _apply(bench, wanted.rounds, wanted.count)
        )
    machine = describe_machine(wanted.note, with_packer=False)
    write(_ROOT / "docs" / "benchmarks", wanted.what, machine, laps)
    return 0


def _prepare(bench: Bench, templates: tuple[str, ...]) -> None:
    """Each image was used once: LXD unpacks it into the pool for the first container."""
    bench.invoke("host.setup", "--only-lxd")
    print_text(f"build {', '.join(templates)}")
    bench.invoke("build-images", "--only", ",".join(templates), "--no-smoke")
    for template in templates:
        run(["lxc", "-q", "init", f"lab/{typed.ALIASES[template]}", "bench-first"], bench.log)
        typed.remove("bench-first", bench.log)


def _provision(bench: Bench, rounds: int) -> Iterator[Lap]:
    for number in range(rounds):
        for template in TEMPLATES:
            # Who comes first changes, so that neither always follows the other's removal.
            ways = (BY_HAND, LABSTAMP) if number % 2 else (LABSTAMP, BY_HAND)
            for way in ways:
                yield _one(bench, template, way)


def _one(bench: Bench, template: str, way: str) -> Lap:
    name = "bench-one"
    if way == BY_HAND:
        lap = _lap(template, way, 1, lambda: typed.stamp(name, template, bench.key, bench.log))
        typed.remove(name, bench.log)
        return lap
    lap = _lap(template, way, 1, lambda: _stamp(bench, name, template))
    bench.invoke("destroy", name, "--yes", "--purge")
    return lap


def _stamp(bench: Bench, name: str, template: str) -> None:
    sizes = [word for size, value in typed.SIZES.items() for word in (f"--{size}", str(value))]
    key = f"{bench.key}.pub"
    bench.invoke("provision", name, "--template", template, "--key", key, "--gpus", "none", *sizes)
    typed.wait_for_login(name, bench.key)


def _apply(bench: Bench, rounds: int, count: int) -> Iterator[Lap]:
    names = [f"bench-{number:02}" for number in range(1, count + 1)]
    file = bench.place / "containers.yaml"
    file.write_text(_containers(names, f"{bench.key}.pub"), encoding="utf-8")
    for _ in range(rounds):
        yield _lap("base", LABSTAMP, count, lambda: _stamp_all(bench, file, names))
        for name in names:
            bench.invoke("destroy", name, "--yes", "--purge")
        yield _lap("base", BY_HAND, count, lambda: _type_all(bench, names))
        for name in names:
            typed.remove(name, bench.log)


def _containers(names: list[str], key: str) -> str:
    given = {"template": "base", "gpus": "none", **typed.SIZES}
    people = {name: {"people": {name: {"keys": [key]}}} for name in names}
    return json.dumps({"defaults": given, "containers": people})


def _stamp_all(bench: Bench, file: Path, names: list[str]) -> None:
    bench.invoke("apply", str(file), "--yes")
    for name in names:
        typed.wait_for_login(name, bench.key)


def _type_all(bench: Bench, names: list[str]) -> None:
    for name in names:
        typed.stamp(name, "base", bench.key, bench.log)


def _lap(template: str, way: str, count: int, work: Callable[[], object]) -> Lap:
    load = os.getloadavg()[0]
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    print_text(f"{template}, {way}: {seconds:.2f} s")
    return Lap(
        template=template, way=way, count=count, seconds=round(seconds, 2), load=round(load, 2)
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/bench")
    parser.add_argument("what", choices=[PROVISION, APPLY])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--note", default="")
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    wanted = parser.parse_args()
    wanted.rounds = wanted.rounds or (10 if wanted.what == PROVISION else 1)
    return wanted


if __name__ == "__main__":
    sys.exit(main())
