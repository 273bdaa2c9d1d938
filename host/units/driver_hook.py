"""The driver hook: after a boot with another driver, images and containers follow by themselves.

Beside the unit it holds the host's packages of the driver, since an unattended upgrade moves the
libraries under a module that only a reboot replaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from host.machine import Machine
from host.units.files import Piece, install_piece
from host.units.gpu_boot import NAME as GPU_UNIT
from host.units.holds import hold, release
from host.units.own_command import insist_on_program, judge, remove_units, service
from host.units.systemd import LXD_SERVICES, unit
from lab import places
from lab.errors import InputError
from lab.machine.ownership import Fault
from lab.own_files import every_fault, refusal
from lab.settings.settings import VARIABLE, Settings, load_settings

NAME: Final = "labstamp-driver-update.service"
COMMAND: Final = "host.after-driver-update"
_DIRECTORY: Final = re.compile(r"^WorkingDirectory=(.+)$", re.MULTILINE)
_SETTINGS: Final = re.compile(rf'^Environment="{VARIABLE}=(.+)"$', re.MULTILINE)


def pieces(root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Piece, ...]:
    """The unit that runs the command of ROOT (lab.places), for the lab that ENVIRON names."""
    return judge(), *unit(
        NAME,
        description="Images and containers follow the NVIDIA driver of this boot (labstamp)",
        before=(
            f"After={' '.join((*LXD_SERVICES, GPU_UNIT))} network-online.target\n"
            "Wants=network-online.target\n"
        ),
        service=service(
            root,
            COMMAND,
            environ,
            begin="# exec: the boot does not wait for images that are built.\nType=exec\n",
        ),
    )


def install(
    machine: Machine, root: Path, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """What was done, in words; () when all of it was there."""
    insist_on_program(root)
    made = install_piece(pieces(root, environ), machine)
    if made and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return (*(f"{piece.path}: written" for piece in made), *hold(machine))


def insist_on_root_alone(machine: Machine, root: Path, settings: Settings) -> None:
    """InputError where another account than root may write what the unit would run as root."""
    if found := every_fault(root, settings, machine.owners):
        raise refusal(
            "The hook runs at each boot as root, and another account may write what it runs.",
            found,
            places.installation(root),
        )


def fault(machine: Machine) -> Fault | None:
    """What another account than root may write of that which the installed unit runs."""
    root = _root(machine)
    if root is None:
        return None
    chosen = _SETTINGS.search(_unit(machine))
    environ = {VARIABLE: str(machine.at(_plain(chosen[1])))} if chosen else {}
    try:
        settings = load_settings(root, environ)
    except InputError:
        settings = Settings()  # the unit will say what is wrong in it
    return next(iter(every_fault(root, settings, machine.owners, environ)), None)


def remove(machine: Machine) -> tuple[str, ...]:
    """What was done, in words; () when nothing of it was there."""
    removed = remove_units(pieces(Path("/")), machine)
    if removed and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return (*(f"{piece.path}: removed" for piece in removed), *release(machine))


def is_installed(machine: Machine) -> bool:
    """Written and enabled, by whichever checkout and version."""
    return all(os.path.lexists(machine.at(piece.path)) for piece in pieces(Path("/"))[1:])


def is_able(machine: Machine) -> bool:
    """Whether the checkout or the environment that it was installed from is still there."""
    root = _root(machine)
    return root is not None and places.program(root).exists()


def _root(machine: Machine) -> Path | None:
    """That of what the unit runs."""
    found = _DIRECTORY.search(_unit(machine))
    return places.root_in(machine.at(found[1].replace("%%", "%"))) if found else None


def _unit(machine: Machine) -> str:
    return machine.text(pieces(Path("/"))[1].path) or ""


def _plain(word: str) -> str:
    """What `unit_file.word` made of a text, back."""
    return word.replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
