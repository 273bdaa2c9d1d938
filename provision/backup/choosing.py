"""Which backup of a person is meant. Pure."""

from __future__ import annotations

from lab.errors import CheckError, InputError
from provision.backup.directory import Backup, Damaged


def choose(found: tuple[Backup | Damaged, ...], name: str, wanted: str | None) -> Backup:
    """The one called WANTED, else the newest that no check has failed."""
    if wanted is not None:
        one = next((each for each in found if each.id == wanted), None)
        if one is None:
            raise InputError(
                f"{name} has no backup {wanted}.", fix=f"List them: invoke backups {name}"
            )
        if isinstance(one, Damaged):
            raise CheckError(f"The backup {one.place} is damaged.", details=one.why)
        return one
    good = [
        each
        for each in found
        if isinstance(each, Backup) and (each.verdict is None or each.verdict.good)
    ]
    if not good:
        raise InputError(
            f"There is no good backup of {name}.",
            fix=f"Look at what there is: invoke backups {name}",
        )
    return good[-1]
