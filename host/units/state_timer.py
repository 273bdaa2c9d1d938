"""The state timer: each night, all that labstamp keeps in LXD is written into a file beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from host.machine import Machine
from host.units.files import Piece, install_piece
from host.units.own_command import insist_on_program, judge, remove_units, service
from host.units.systemd import LXD_SERVICES, timed

NAME: Final = "labstamp-state"
COMMAND: Final = "export-state"


def pieces(root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Piece, ...]:
    """The timer and its unit, for the lab that ENVIRON names."""
    return judge(), *timed(
        NAME,
        description="The keys and marks of the lab's containers and homes, as a file (labstamp)",
        before=f"After={' '.join(LXD_SERVICES)}\n",
        service=service(root, COMMAND, environ, begin="Type=oneshot\nUMask=0077\n"),
        when="*-*-* 03:00:00",
    )


def install(
    machine: Machine, root: Path, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """What was done, in words; () when all of it was there."""
    insist_on_program(root)
    made = install_piece(pieces(root, environ), machine)
    if made and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
        machine.run(["systemctl", "restart", f"{NAME}.timer"])
    return tuple(f"{piece.path}: written" for piece in made)


def remove(machine: Machine) -> tuple[str, ...]:
    """What was done, in words; files that it wrote stay."""
    own = pieces(Path("/"), {})
    if machine.systemd_runs and machine.at(own[1].path).exists():
        machine.run(["systemctl", "stop", f"{NAME}.timer"])
    removed = remove_units(own, machine)
    if removed and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return tuple(f"{piece.path}: removed" for piece in removed)
