"""A lab of five: four who work, and mallory, who does what root can."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.wait import poll
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab, lxc

MALLORY: Final = "lh-mallory"
OTHERS: Final = ("lh-ann", "lh-ben", "lh-cho", "lh-dan")
_ATTACK: Final = Path(__file__).with_name("attack.py")
_CHANGES: Final = frozenset(
    {"memory_used_bytes", "memory_held_bytes", "disk_used_bytes", "home_used_bytes"}
)
"""What of a row changes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Five:
    lab: Lab
    addresses: dict[str, str]
    before: list[dict[str, Any]]
    """What `list` said of the four."""

    def others(self) -> list[dict[str, Any]]:
        rows = self.lab.succeed("list", "--json").document["containers"]
        return [
            {key: value for key, value in row.items() if key not in _CHANGES}
            for row in rows
            if row["name"] in OTHERS
        ]


@contextmanager
def lab_of_five(lab: Lab, key: Path) -> Iterator[Five]:
    """All are provisioned by the plain command, and nobody has done anything yet."""
    public = str(key.with_suffix(".pub"))
    sizes = ("--memory", "512MiB", "--disk", "2GiB", "--home", "1GiB", "--gpus", "none")
    names = (*OTHERS, MALLORY)
    destroy(lab, names)

    def make(name: str) -> dict[str, Any]:
        made: dict[str, Any] = lab.succeed(
            "provision", name, "--template", "base", *sizes, "--key", public, "--json"
        ).document
        return made

    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            made = dict(zip(names, pool.map(make, names), strict=True))
        five = Five(lab=lab, addresses={name: made[name]["ipv4"][0] for name in names}, before=[])
        yield Five(lab=lab, addresses=five.addresses, before=five.others())
    finally:
        destroy(lab, names)


def attack(five: Five) -> None:
    """From here on mallory does all of it, until it is stopped."""
    # Not more than this: the machine of the tests has two cores.
    lxc("config", "set", MALLORY, "limits.processes=250", "limits.cpu.allowance=30%")
    routes = lxc("exec", MALLORY, "--", "ip", "route", "show", "default")
    gateway = routes.split()[2]
    lxc("file", "push", str(_ATTACK), f"{MALLORY}/root/attack.py")
    argv = ("python3", "/root/attack.py", five.addresses[OTHERS[0]], gateway)
    lxc("exec", MALLORY, "--", "systemd-run", "--quiet", "-p", "TasksMax=infinity", *argv)
    poll(_is_at_it, what="mallory to be at it", timeout=120)


def _is_at_it() -> bool | None:
    # By its path: mallory has programs of such names before it.
    told = lxc("exec", MALLORY, "--", "/usr/bin/find", "/run", "-maxdepth", "1", "-name", "at-it")
    return True if told else None
