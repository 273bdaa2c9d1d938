"""What an admin types for one container who has LXD alone, after the blog posts: the typed recipe.

launch, devices, limits, the account and its key, restart, and looking until somebody can log in.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ci.benchmarks.lxc import addresses, run
from lab.wait import poll

SIZES: Final = {"memory": "2GiB", "cpus": 2, "disk": "8GiB", "home": "2GiB"}
"""Of labstamp's containers; by hand the same, with one disk for both."""
ALIASES: Final = {"base": "base", "docker": "docker-nested"}
"""Of the templates by their short names."""
_DISK: Final = "10GiB"
_NESTED: Final = (
    "security.nesting=true",
    "security.syscalls.intercept.mknod=true",
    "security.syscalls.intercept.setxattr=true",
)
_WAIT: Final = 120.0
_EVERY: Final = 0.1


def stamp(name: str, template: str, key: Path, log: Path) -> None:
    """A container NAME from labstamp's own release of TEMPLATE, until NAME can log in by KEY.

    TimedOut when that takes two minutes.
    """
    for argv in _lines(name, template, f"{key}.pub"):
        run(["lxc", "-q", *argv], log)
    wait_for_login(name, key)


def wait_for_login(name: str, key: Path) -> None:
    """TimedOut when that takes two minutes."""

    def is_in() -> bool | None:
        return any(logs_in(name, address, key) for address in addresses(name)) or None

    poll(is_in, what=f"a login to {name}", timeout=_WAIT, every=_EVERY)


def logs_in(name: str, address: str, key: Path) -> bool:
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    words = [word for option in (*options, "ConnectTimeout=2") for word in ("-o", option)]
    argv = ["ssh", "-q", "-i", str(key), *words, f"{name}@{address}", "true"]
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL).returncode == 0


def remove(name: str, log: Path) -> None:
    run(["lxc", "-q", "delete", "--force", name], log)


def _lines(name: str, template: str, public: str) -> Iterator[Sequence[str]]:
    ssh = f"/home/{name}/.ssh"
    yield "launch", f"lab/{ALIASES[template]}", name
    yield "config", "device", "override", name, "root", f"size={_DISK}"
    yield "config", "set", name, f"limits.cpu={SIZES['cpus']}"
    yield "config", "set", name, f"limits.memory={SIZES['memory']}"
    if template == "docker":
        yield "config", "set", name, *_NESTED
    yield "exec", name, "--", "useradd", "-m", "-s", "/bin/bash", "-G", "sudo", name
    yield "exec", name, "--", "install", "-d", "-m", "700", "-o", name, ssh
    yield "file", "push", public, f"{name}{ssh}/authorized_keys"
    yield "exec", name, "--", "chown", f"{name}:", f"{ssh}/authorized_keys"
    yield "restart", name
