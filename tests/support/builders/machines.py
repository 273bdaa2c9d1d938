"""A machine in a directory, whose commands are answered by a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.machine import Machine
from lab.lxd.model import Completed


@dataclass(slots=True)
class Apt:
    """dpkg, apt-mark and apt-config, as far as they are asked; and a log of all commands."""

    installed: dict[str, str] = field(default_factory=dict)
    """Package → dpkg's abbreviated status."""
    held: set[str] = field(default_factory=set)
    blacklist: list[str] = field(default_factory=list)
    there: bool = True
    ran: list[str] = field(default_factory=list)
    modinfo: str = ""

    def __call__(self, argv: Sequence[str]) -> Completed:
        self.ran.append(" ".join(argv))
        text = self._answer(list(argv))
        if text is None:
            return Completed(exit_code=1, stdout="", stderr="no such thing")
        return Completed(exit_code=0, stdout=text, stderr="")

    def _answer(self, argv: list[str]) -> str | None:
        answer: str | None = ""
        match argv:
            case ["dpkg-query", *_]:
                lines = "".join(f"{how} {name}\n" for name, how in self.installed.items())
                answer = lines if self.there else None
            case ["dpkg", "--print-architecture"]:
                answer = "amd64\n"
            case ["apt-mark", "showhold"]:
                answer = "".join(f"{name}\n" for name in sorted(self.held))
            case ["apt-mark", "hold", *names]:
                self.held |= set(names)
            case ["apt-mark", "unhold", *names]:
                self.held -= set(names)
            case ["apt-config", *_]:
                key = "Unattended-Upgrade::Package-Blacklist"
                answer = "".join(f'{key}:: "{one}";\n' for one in self.blacklist)
            case ["modinfo", *_]:
                answer = f"{self.modinfo}\n" if self.modinfo else None
            case ["systemctl", *_]:
                pass
            case _:
                answer = None
        return answer


def machine_in(root: Path, apt: Apt | None = None, *, systemd: bool = True) -> Machine:
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
    (root / "etc/apt").mkdir(parents=True, exist_ok=True)
    owners = frozenset({0, os.geteuid()})
    return Machine(root=root, run=apt or Apt(), superuser=True, owners=owners)


def give_network(root: Path, bridge: str = "lxdbr0") -> None:
    """A bridge that LXD looks after."""
    (root / f"sys/class/net/{bridge}").mkdir(parents=True)
    write(root, "/proc/sys/net/ipv4/ip_forward", "1\n")
    write(root, "/proc/4711/cmdline", f"dnsmasq\0--interface={bridge}\0--dhcp-range\0")


def files_of(root: Path) -> list[str]:
    """All that is there but directories, as paths on the machine."""
    return sorted(
        f"/{path.relative_to(root)}"
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    )


def write(root: Path, path: str, text: str) -> None:
    at = root / path.lstrip("/")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)


def checkout_in(directory: Path) -> Path:
    """One with a command, at a path that has to be quoted."""
    path = directory / "my lab 100%$"
    invoke = path / ".venv/bin/invoke"
    invoke.parent.mkdir(parents=True)
    invoke.write_text("#!/bin/sh\n")
    invoke.chmod(0o755)
    return path
