"""The backup timer: each night, all containers are backed up and expired backups are removed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from host.machine import Machine
from host.units.files import Piece, install_piece
from host.units.own_command import insist_on_program, judge, remove_units, service
from host.units.systemd import LXD_SERVICES, timed

NAME: Final = "labstamp-backups"
COMMAND: Final = "host.make-backups"
USUAL: Final = "03:30"


def pieces(
    root: Path, environ: Mapping[str, str] = os.environ, when: str = USUAL
) -> tuple[Piece, ...]:
    """The timer, which fires WHEN (systemd.time(7)), and its unit, for the lab of ENVIRON."""
    return judge(), *timed(
        NAME,
        description="Backups of users' containers, made and removed by schedule (labstamp)",
        before=f"After={' '.join(LXD_SERVICES)}\n",
        service=service(root, COMMAND, environ, begin="Type=oneshot\nIOSchedulingClass=idle\n"),
        when=when,
    )


def install(
    machine: Machine, root: Path, when: str, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """What was done, in words; () when all of it was there."""
    insist_on_program(root)
    made = install_piece(pieces(root, environ, when), machine)
    if made and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
        machine.run(["systemctl", "restart", f"{NAME}.timer"])
    return tuple(f"{piece.path}: written" for piece in made)


def remove(machine: Machine) -> tuple[str, ...]:
    """What was done, in words; backups stay."""
    own = pieces(Path("/"), {})
    if machine.systemd_runs and machine.at(own[1].path).exists():
        machine.run(["systemctl", "stop", f"{NAME}.timer"])
    removed = remove_units(own, machine)
    if removed and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return tuple(f"{piece.path}: removed" for piece in removed)
