"""Units that run a command of this installation as root, once it was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from host.machine import Machine
from host.units.files import HostFile, Piece, remove_piece
from host.units.systemd import UNITS, argument, whole_line, word
from lab import places
from lab.errors import InputError
from lab.settings.settings import VARIABLE, settings_path

JUDGE: Final = Path(__file__).with_name("root-alone.sh")
_JUDGE: Final = "/usr/local/lib/labstamp/root-alone.sh"
"""A copy that belongs to root: it judges an installation before anything in that runs."""
_PASSED_ON: Final = (VARIABLE, "LXD_DIR")
"""What says, beside the settings that are found anyway, which lab and which LXD are meant."""


def judge() -> HostFile:
    return HostFile(path=_JUDGE, text=JUDGE.read_text(encoding="utf-8"), mode=0o755)


def service(root: Path, command: str, environ: Mapping[str, str], *, begin: str) -> str:
    """The section [Service] that runs COMMAND of ROOT (lab.places), for the lab of ENVIRON."""
    settings = "".join(
        f"Environment={word(f'{name}={Path(environ[name]).expanduser().absolute()}')}\n"
        for name in _PASSED_ON
        if environ.get(name)
    )
    environment = places.environment(root)
    judged = [places.installation(root), environment, environment / "bin/python"]
    if environ.get(VARIABLE) or places.is_installed(root):
        judged.append(settings_path(root, environ).absolute())
    return (
        f"{begin}User=root\n"
        f"WorkingDirectory={whole_line(str(places.installation(root)))}\n{settings}"
        f"ExecStartPre={_JUDGE} "
        f"{' '.join(argument(str(path)) for path in dict.fromkeys(judged))}\n"
        f"ExecStart={word(str(places.program(root)))} {command}\nNice=5\n"
    )


def remove_units(pieces: Sequence[Piece], machine: Machine) -> tuple[Piece, ...]:
    """PIECES, the judge first, which stays while another unit has it; what was removed."""
    first, *own = pieces
    paths = {machine.at(piece.path) for piece in own}
    units = set(machine.at(UNITS).glob("labstamp-*.service")) - paths
    needed = any(_JUDGE in unit.read_text(errors="replace") for unit in units if unit.is_file())
    return remove_piece(own if needed else [first, *own], machine)


def insist_on_program(root: Path) -> None:
    """InputError where there is nothing that a unit could run."""
    if not places.program(root).exists():
        raise InputError(
            f"The unit must run {places.program(root)}, which does not exist.",
            fix="Install labstamp with pipx or uv tool."
            if places.is_installed(root)
            else "Make the environment of this checkout: sudo ci/up",
        )
