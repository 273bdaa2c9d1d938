"""containers.yaml, read and judged as a whole before LXD is asked anything."""

from __future__ import annotations

import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from lab.errors import InputError
from lab.places import PEOPLE_EXAMPLE
from lab.yaml.load import examine
from lab.yaml.problems import BadFiles, shown
from lab.yaml.tree import Tree, read_tree
from provision.lab_file.document import LabFile
from provision.lab_file.references import fill_empty, problems_between
from provision.lab_file.wanted import Wanted, every_wanted

FILE: Final = "containers.yaml"
_MOST_BYTES: Final = 1 << 20
"""A thousand people take a quarter of it."""
_MOST_PROBLEMS: Final = 100


def read_lab_file(path: Path, shares: Collection[str]) -> tuple[Wanted, ...]:
    """What the file at PATH asks for; BadFiles with all that is wrong in it.

    SHARES: the names that lab.yaml has.
    """
    _refuse_other_than_file(path)
    return judged(read_tree(path), shares)


def judged(tree: Tree, shares: Collection[str]) -> tuple[Wanted, ...]:
    """The same of a file that was read. Pure."""
    fill_empty(tree)
    lab, problems = examine(tree, LabFile)
    between = tuple(problems_between(tree, shares))[:_MOST_PROBLEMS]
    if lab is None or between:
        raise BadFiles((*problems, *between))
    return every_wanted(lab, tree)


def _refuse_other_than_file(path: Path) -> None:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise InputError(
            f"There is no file {shown(path)}.",
            fix="Write what is there now into a file: invoke export-lab FILE\n"
            f"or copy the example: {PEOPLE_EXAMPLE}",
        ) from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown(path)} cannot be read.", details=why) from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{shown(path)} is not a file.", fix="Name a file: invoke apply FILE")
    if found.st_size > _MOST_BYTES:
        raise InputError(
            f"{shown(path)} is larger than 1 MiB, so it is not a list of containers.",
            fix="Name another file: invoke apply FILE",
        )
