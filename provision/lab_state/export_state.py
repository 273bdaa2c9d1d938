"""`export-state`: the file is written whole or not at all, readable by its owner alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Final

from lab.errors import InputError
from lab.whole_file import write_whole
from provision.lab_state.document import LabState, as_text

DIRECTORY: Final = Path("/var/lib/labstamp/states")
"""On the server's own disk, where a pool that is lost does not take it along."""
KEEP: Final = 30
_LATELY: Final = 60.0
_PLAIN: Final = re.compile(r"[^A-Za-z0-9.-]")
_STAMP: Final = "[0-9]" * 8 + "-" + "[0-9]" * 6


def write(state: LabState, path: Path | None, *, keep: int = KEEP) -> tuple[Path, tuple[Path, ...]]:
    """Write STATE to PATH, or into the directory PATH; the file, and those that were removed.

    In a directory, the newest KEEP of this lab stay.
    """
    place = DIRECTORY if path is None else path
    try:
        if path is None:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.is_dir():
            write_whole(place, as_text(state))
            _remove_half(place.parent.glob(f".{escape(place.name)}.*"), place)
            return place, ()
        file = place / f"{_prefix(state)}{_stamp(state)}.json"
        write_whole(file, as_text(state))
        return file, _remove_old(place, state, keep)
    except OSError as error:
        raise InputError(
            f"{place} cannot be written.",
            details=error.strerror or str(error),
            fix="Name another file or directory, or free space on its disk. "
            "Its directory must exist, and be yours to write.",
        ) from error


def _remove_old(place: Path, state: LabState, keep: int) -> tuple[Path, ...]:
    """Of this lab alone; and what a run that was killed left half written."""
    own = sorted(place.glob(f"{_prefix(state)}{_STAMP}.json"))
    old = own[: max(0, len(own) - keep)]
    for one in old:
        one.unlink(missing_ok=True)
    if own:
        _remove_half(place.glob(f".{_prefix(state)}{_STAMP}.json.*"), own[-1])
    return tuple(old)


def _remove_half(found: Iterable[Path], whole: Path) -> None:
    """Those that have not been written to for a minute when WHOLE was; another run may be at it."""
    for one in found:
        if one.stat().st_mtime < whole.stat().st_mtime - _LATELY:
            one.unlink(missing_ok=True)


def _prefix(state: LabState) -> str:
    return _PLAIN.sub("_", f"{state.server.name}-{state.project}-")


def _stamp(state: LabState) -> str:
    return datetime.fromisoformat(state.written).strftime("%Y%m%d-%H%M%S")
