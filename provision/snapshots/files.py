"""`restore --file`: a file or a directory of the home comes back beside the one of today.

From a copy of the snapshot, which every pool can make, attached to the container for a moment. It
is copied inside, by the container's own `cp`: so owners, modes and links are what they were, no
link leads out of the container, and quotas count. Whoever has replaced `cp` there harms himself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from lab import labels
from lab.errors import InputError, LxdError
from lab.instances.removal import remove_volume
from lab.lxd.model import Completed, Snapshot, State, Volume
from lab.lxd.port import Lxd
from lab.names import quote
from lab.printable import in_line
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.managed import container_lock
from provision.restoring import home_of
from provision.snapshots.pairs import find, read_pairs
from provision.snapshots.take import no_home
from provision.whole import whole_container

_HOME: Final = PurePosixPath("/home")
_DEVICE: Final = "labstamp-copy"
_PLACE: Final = PurePosixPath("/run/labstamp-copy")
_VOLATILE: Final = "volatile."
_A_LOOK: Final = 30.0
_COPYING: Final = 3600.0


def take_out(
    lxd: Lxd, settings: Settings, name: str, snapshot: str, report: Report, *, path: str
) -> str:
    """Where it is now. PATH: absolute, or below the home of the container's account."""
    with container_lock(settings, name, report, f"restore {name}"):
        instance = whole_container(lxd, name)
        wanted = below_home(path, instance.config[labels.OWNER])
        home = home_of(lxd, instance)
        if home is None:
            raise no_home(name)
        kept = find(read_pairs(lxd, instance, home), name, snapshot).home
        if kept is None:
            raise InputError(
                f"The snapshot {snapshot} of {name} has no home.",
                details="It has the root alone, and single files come from /home only.",
            )
        if instance.state is not State.RUNNING:
            raise InputError(
                f"{name} is stopped: files are copied while it runs.",
                fix=f"invoke start {name}",
            )
        to = wanted.with_name(f"{wanted.name}.restored-{snapshot}")
        begun = clear(lxd, name, home)
        report.phase(name, f"copy {wanted}")
        try:
            _attach(lxd, name, home, kept, to)
            _copy(lxd, name, wanted, to, again=begun == str(to))
        finally:
            clear(lxd, name, home)
        report.done(name, f"{wanted} of {snapshot} is {to}")
        return str(to)


def below_home(path: str, account: str) -> PurePosixPath:
    """InputError unless it is something below /home. Pure."""
    whole = _HOME / account / path
    parts = whole.parts
    if "\0" in path or ".." in parts or len(parts) < 3 or parts[:2] != _HOME.parts:
        raise InputError(
            f"{quote(path)} is not a file or a directory below /home.",
            fix="Name one, such as --file notes.txt (below the account's home) or "
            f"--file /home/{account}/notes.txt; files of the root come back with --root.",
        )
    return whole


def clear(lxd: Lxd, name: str, home: Volume) -> str | None:
    """Remove the copy, this run's or that of one that was killed; what it was made for."""
    instance = whole_container(lxd, name)
    if _DEVICE in instance.devices:
        lxd.update(name, devices={_DEVICE: None})
    copy = next((one for one in lxd.volumes(home.pool) if one.name == _name(home)), None)
    if copy is None:
        return None
    remove_volume(lxd, copy.pool, copy.name)
    return copy.config.get(labels.COPY)


def _name(home: Volume) -> str:
    return f"copy-{home.name}"


def _attach(lxd: Lxd, name: str, home: Volume, kept: Snapshot, to: PurePosixPath) -> None:
    owners = {key: value for key, value in kept.config.items() if key.startswith(_VOLATILE)}
    marks = {labels.BUILDER: me(), labels.COPY: str(to)}
    lxd.copy_volume_snapshot(home.pool, home.name, kept.name, _name(home), {**owners, **marks})
    device = {
        "type": "disk",
        "pool": home.pool,
        "source": _name(home),
        "path": str(_PLACE),
        "readonly": "true",
    }
    lxd.update(name, devices={_DEVICE: device})


def _copy(lxd: Lxd, name: str, wanted: PurePosixPath, to: PurePosixPath, *, again: bool) -> None:
    """AGAIN: what is there of TO is of a run that was killed."""
    source = _PLACE / wanted.relative_to(_HOME)
    if not (_is_there(lxd, name, source) or _is_there(lxd, name, source, link=True)):
        raise InputError(f"{in_line(str(wanted))} is not in that snapshot.")
    if not again and _is_there(lxd, name, to):
        raise InputError(
            f"{in_line(str(to))} is there already.",
            fix="Rename or remove it in the container, then run the same command again.",
        )
    done = _run(lxd, name, ["cp", "-aT", "--", str(source), str(to)], within=_COPYING)
    if done.exit_code != 0:
        raise LxdError(
            f"{in_line(str(wanted))} could not be copied in {name}.",
            details=in_line(done.stderr.strip(), most=400),
            fix="Correct the cause, then run the same command again.",
        )


def _is_there(lxd: Lxd, name: str, path: PurePosixPath, *, link: bool = False) -> bool:
    found = _run(lxd, name, ["test", "-L" if link else "-e", str(path)], within=_A_LOOK)
    return found.exit_code == 0


def _run(lxd: Lxd, name: str, argv: Sequence[str], *, within: float) -> Completed:
    done = lxd.run(name, argv, timeout=within)
    if done.exit_code == 127:
        raise LxdError(
            f"There is no `{argv[0]}` in {name}, so nothing can be copied there.",
            fix="Restore its root first, with --root, or the whole of its home, with --home.",
        )
    return done
