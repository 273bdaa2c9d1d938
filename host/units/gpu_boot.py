"""The GPU boot unit: modules, device nodes and persistence mode, before LXD passes them on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from host.machine import Machine
from host.units.files import HostFile, Piece, install_piece, missing_pieces, remove_piece
from host.units.systemd import LXD_SERVICES, unit

NAME: Final = "labstamp-gpu-boot.service"
SCRIPT: Final = Path(__file__).with_name("gpu-boot.sh")
INSTALLED: Final = "/usr/local/lib/labstamp/gpu-boot.sh"
"""A copy that belongs to root: boots do not depend on a checkout, nor on who may write to it."""


def pieces() -> tuple[Piece, ...]:
    return (
        HostFile(path=INSTALLED, text=SCRIPT.read_text(encoding="utf-8"), mode=0o755),
        *unit(
            NAME,
            description="NVIDIA modules and device nodes, ready before LXD starts (labstamp)",
            before=(
                "# LXD passes on what is in /dev at the moment when a container starts.\n"
                f"Before={' '.join(LXD_SERVICES)}\n"
            ),
            service=(
                f"Type=oneshot\nRemainAfterExit=yes\nExecStart={INSTALLED}\nTimeoutStartSec=180\n"
            ),
        ),
    )


def is_installed(machine: Machine) -> bool:
    """Whole, as this version of labstamp writes it, and enabled."""
    return not missing_pieces(pieces(), machine)


def is_touched(machine: Machine) -> bool:
    """Whether any of it is there, be it another version's."""
    return any(machine.at(piece.path).exists() for piece in pieces())


def install(machine: Machine) -> tuple[str, ...]:
    """Write what is lacking; where systemd runs, run it too, since that disturbs nobody.

    What was done, in words; () when all of it was there.
    """
    made = install_piece(pieces(), machine)
    if made and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
        machine.run(["systemctl", "restart", NAME])
    return tuple(f"{piece.path}: written" for piece in made)


def remove(machine: Machine) -> tuple[str, ...]:
    """What was done, in words. Modules and nodes stay as they are."""
    if machine.systemd_runs and machine.at(f"/etc/systemd/system/{NAME}").exists():
        machine.run(["systemctl", "stop", NAME])
    removed = remove_piece(pieces(), machine)
    if removed and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return tuple(f"{piece.path}: removed" for piece in removed)
