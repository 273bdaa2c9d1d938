"""`ci/bench lifecycle`: for how long a user cannot log in while the container is changed.

Asked from outside, ten times a second: whether sshd answers at the container's address. The
containers and their releases are on the LXD of $LXD_DIR, which is gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ci.benchmarks.lxc import addresses
from ci.benchmarks.machine import describe_machine
from ci.benchmarks.markdown import load_before, table
from lab.console import print_text

_ROOT = Path(__file__).resolve().parents[2]
_INVOKE = Path(sys.executable).with_name("invoke")
TEMPLATES = ("base", "docker", "xfce")
FILES = 2000
_EVERY = 0.1
_SSH = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    what: str
    template: str
    seconds: float
    """Of the whole command."""
    down: float
    """The longest time without an answer of sshd; at most 0.1 s is what a busy machine takes."""
    load: float


class Watch:
    """Notes in a thread when sshd at ADDRESS has answered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._answers = [time.monotonic()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._answers.append(time.monotonic())

    @property
    def longest_gap(self) -> float:
        pairs = zip(self._answers, self._answers[1:], strict=False)
        return max(later - earlier for earlier, later in pairs)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            if answers(self._address):
                self._answers.append(time.monotonic())


def answers(address: str) -> bool:
    try:
        with socket.create_connection((address, _SSH), timeout=1) as connection:
            connection.settimeout(1)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


class Commands:
    """labstamp's, with settings of the bench's own."""

    def __init__(self, directory: Path, log: Path, prefix: str, **more: object) -> None:
        self._settings = directory / "lab.yaml"
        words = {"alias-prefix": prefix, "build-project": f"{prefix}-build", **more}
        self._settings.write_text(json.dumps(words), encoding="utf-8")
        self._log = log

    def __call__(self, *arguments: str) -> str:
        environment = {**os.environ, "LAB_SETTINGS": str(self._settings)}
        # As for users, whose Python keeps what it compiled.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with self._log.open("a", encoding="utf-8") as log:
            ended = subprocess.run(
                [str(_INVOKE), *arguments],
                cwd=_ROOT,
                env=environment,
                check=True,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return ended.stdout


def main() -> int:
    wanted = _arguments()
    with tempfile.TemporaryDirectory() as directory:
        invoke = Commands(Path(directory), wanted.log, "bench-life")
        versions = _have_releases(invoke)
        key = make_key(Path(directory))
        laps: list[Lap] = []
        for template in TEMPLATES:
            with _container(invoke, template, key) as name:
                for number in range(wanted.rounds):
                    to = versions[template][(number + 1) % 2]
                    laps += _round(invoke, template, name, to)
    machine = describe_machine(wanted.note, with_packer=False)
    _write(_ROOT / "docs" / "benchmarks", machine, laps)
    return 0


def _have_releases(invoke: Commands) -> Mapping[str, Sequence[str]]:
    """Two of each template: users get the first of them."""
    invoke("host.setup", "--only-lxd")
    only = ("--only", ",".join(TEMPLATES), "--no-smoke")
    for force in ((), ("--force",)):
        print_text(f"build {', '.join(TEMPLATES)}")
        invoke("build-images", *only, *force)
    told = json.loads(invoke("images", "--json"))["templates"]
    return {
        one["short"]: [version["version"] for version in one["versions"]]
        for one in told
        if one["short"] in TEMPLATES
    }


def make_key(directory: Path) -> str:
    file = directory / "key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(argv, check=True)
    return f"{file}.pub"


@contextmanager
def _container(invoke: Commands, template: str, key: str) -> Iterator[str]:
    name = f"bench-{template}"
    sizes = ("--memory", "2GiB", "--disk", "10GiB", "--home", "2GiB", "--gpus", "none")
    invoke("provision", name, "--template", template, "--key", key, *sizes, "--password")
    script = f"cd /home/{name}; for i in $(seq {FILES}); do head -c 4096 /dev/urandom >f$i; done"
    subprocess.run(["lxc", "exec", name, "--", "sh", "-c", script], check=True)
    yield name
    invoke("destroy", name, "--yes", "--purge")


def _round(invoke: Commands, template: str, name: str, version: str) -> Iterator[Lap]:
    def lap(what: str, *arguments: str) -> Lap:
        found = _lap(what, template, addresses(name)[0], lambda: invoke(*arguments))
        print_text(f"{template}, {what}: {found.seconds:.1f} s, {found.down:.1f} s without ssh")
        return found

    yield lap("snapshot", "snapshot", name, "bench")
    yield lap("restore", "restore", name, "bench", "--yes")
    invoke("remove-snapshot", name, "bench")
    yield lap("upgrade", "upgrade", name, "--to", version)
    invoke("upgrade", name, "--forget", "--yes")


def _lap(what: str, template: str, address: str, work: Callable[[], object]) -> Lap:
    load = os.getloadavg()[0]
    with Watch(address) as watch:
        began = time.monotonic()
        work()
        seconds = time.monotonic() - began
    return Lap(
        what=what,
        template=template,
        seconds=round(seconds, 2),
        down=round(watch.longest_gap, 2),
        load=round(load, 2),
    )


def _write(directory: Path, machine: Mapping[str, str], laps: Sequence[Lap]) -> None:
    measured: list[dict[str, Any]] = [
        {
            "what": one.what,
            "template": one.template,
            "seconds": one.seconds,
            "down": one.down,
            "load": one.load,
        }
        for one in laps
    ]
    raw = {"machine": machine, "measured": measured}
    (directory / "lifecycle.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    (directory / "lifecycle.md").write_text(report(machine, laps), encoding="utf-8")
    print_text("The report: docs/benchmarks/lifecycle.md")


def report(machine: Mapping[str, str], laps: Sequence[Lap]) -> str:
    """The document, in Markdown. Pure."""
    kinds = dict.fromkeys((one.what, one.template) for one in laps)
    rows = [_row(kind, [one for one in laps if (one.what, one.template) == kind]) for kind in kinds]
    return "\n".join(
        [
            "# Changing a container while somebody uses it",
            "",
            "Made by `sudo ci/bench lifecycle`; what was measured is in "
            "[lifecycle.json](lifecycle.json). Each container has",
            f"{FILES} files in its home. `upgrade` changes between two releases of the template. "
            "Without ssh: the longest time in",
            "which sshd did not answer at the container's address, asked ten times a second.",
            "",
            *table(("what", "found"), list(machine.items())),
            "",
            *table(("command", "template", "seconds in all", "without ssh", "runs"), rows),
            "",
            f"Medians, with the least and the most. {load_before(one.load for one in laps)}",
            "",
        ]
    )


def _row(kind: tuple[str, str], laps: Sequence[Lap]) -> tuple[str, ...]:
    seconds = _figures([one.seconds for one in laps])
    return (f"`{kind[0]}`", kind[1], seconds, _figures([one.down for one in laps]), str(len(laps)))


def _figures(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} ({min(seconds):.1f}–{max(seconds):.1f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/bench lifecycle")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--note", default="")
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
