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

from host.gpu_unit import NAME as GPU_UNIT
from host.held_packages import hold, release
from host.machine import Machine
from host.pieces import Piece, put, take
from host.unit_file import LXD_SERVICES, unit, whole_line, word
from lab.errors import InputError

NAME: Final = "labstamp-driver-update.service"
COMMAND: Final = "host.after-driver-update"
_PASSED_ON: Final = ("LAB_SETTINGS", "LXD_DIR")
"""What says, beside the checkout, which lab and which LXD are meant."""
_INVOKE: Final = ".venv/bin/invoke"
_DIRECTORY: Final = re.compile(r"^WorkingDirectory=(.+)$", re.MULTILINE)


def pieces(checkout: Path, environ: Mapping[str, str] = os.environ) -> tuple[Piece, ...]:
    """The unit that runs CHECKOUT's own command, for the lab that ENVIRON names."""
    invoke = str(checkout / _INVOKE)
    settings = "".join(
        f"Environment={word(f'{name}={Path(environ[name]).expanduser().absolute()}')}\n"
        for name in _PASSED_ON
        if environ.get(name)
    )
    return unit(
        NAME,
        description="Images and containers follow the NVIDIA driver of this boot (labstamp)",
        before=(
            f"After={' '.join((*LXD_SERVICES, GPU_UNIT))} network-online.target\n"
            "Wants=network-online.target\n"
        ),
        service=(
            "# exec: the boot does not wait for images that are built.\n"
            "Type=exec\nUser=root\n"
            f"WorkingDirectory={whole_line(str(checkout))}\n{settings}"
            f"ExecStart={word(invoke)} {COMMAND}\nNice=5\n"
        ),
    )


def install(
    machine: Machine, checkout: Path, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """What was done, in words; () when all of it was there."""
    invoke = checkout / _INVOKE
    if not invoke.exists():
        raise InputError(
            f"{invoke} is not there, and the unit is to run it.",
            fix="Make the environment of this checkout: sudo ci/up",
        )
    made = put(pieces(checkout, environ), machine)
    if made and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return (*(f"{piece.path}: written" for piece in made), *hold(machine))


def remove(machine: Machine) -> tuple[str, ...]:
    """What was done, in words; () when nothing of it was there."""
    removed = take(pieces(Path("/")), machine)
    if removed and machine.systemd_runs:
        machine.run(["systemctl", "daemon-reload"])
    return (*(f"{piece.path}: removed" for piece in removed), *release(machine))


def is_installed(machine: Machine) -> bool:
    """Written and enabled, by whichever checkout."""
    return all(os.path.lexists(machine.at(piece.path)) for piece in pieces(Path("/")))


def is_able(machine: Machine) -> bool:
    """Whether the checkout that it was installed from is still where it was."""
    unit_file = pieces(Path("/"))[0]
    found = _DIRECTORY.search(machine.text(unit_file.path) or "")
    if found is None:
        return False
    return machine.at(f"{found[1].replace('%%', '%')}/{_INVOKE}").exists()
