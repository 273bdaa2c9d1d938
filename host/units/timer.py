"""A timer that runs one command of this installation, and the unit that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from host.machine import Machine
from host.units.files import Piece, install_piece
from host.units.own_command import insist_on_program, judge, remove_units, service
from host.units.systemd import LXD_SERVICES, timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    name: str
    command: str
    description: str
    when: str
    """As systemd.time(7) has it."""
    begin: str = ""
    """Lines of the unit's own, each with its end."""

    def pieces(self, root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Piece, ...]:
        """The timer and its unit, for the lab that ENVIRON names; the judge of both first."""
        return judge(), *timed(
            self.name,
            description=self.description,
            before=f"After={' '.join(LXD_SERVICES)}\n",
            service=service(root, self.command, environ, begin=f"Type=oneshot\n{self.begin}"),
            when=self.when,
        )

    def install(
        self, machine: Machine, root: Path, environ: Mapping[str, str] = os.environ
    ) -> tuple[str, ...]:
        """What was done, in words; () when all of it was there."""
        insist_on_program(root)
        made = install_piece(self.pieces(root, environ), machine)
        if made and machine.systemd_runs:
            machine.run(["systemctl", "daemon-reload"])
            machine.run(["systemctl", "restart", f"{self.name}.timer"])
        return tuple(f"{piece.path}: written" for piece in made)

    def remove(self, machine: Machine) -> tuple[str, ...]:
        """What was done, in words; what its command did stays."""
        own = self.pieces(Path("/"), {})
        if machine.systemd_runs and machine.at(own[1].path).exists():
            machine.run(["systemctl", "stop", f"{self.name}.timer"])
        removed = remove_units(own, machine)
        if removed and machine.systemd_runs:
            machine.run(["systemctl", "daemon-reload"])
        return tuple(f"{piece.path}: removed" for piece in removed)
