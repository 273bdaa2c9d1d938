"""`export-image`: a release as one file, to be kept or carried to another machine."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images.releases.archive import pack
from images.releases.promotion_order import promoted_property
from images.releases.published import (
    PublishedRelease,
    current_of,
    listed,
    release_called,
    releases_of,
)
from lab.errors import CapacityError, InputError
from lab.lxd.port import Lxd
from lab.release import BUILDER
from lab.report import Report
from lab.sizes import format_size
from lab.tempdir import remove_dead_directories, temp_directory


def export_image(
    lxd: Lxd,
    prefix: str,
    template: str,
    target: Path,
    *,
    report: Report,
    version: str | None = None,
    force: bool = False,
) -> PublishedRelease:
    """Write VERSION (the current one) of TEMPLATE into the file TARGET, whole or not at all."""
    releases = releases_of(lxd, prefix, template)
    chosen = release_called(releases, version) if version else current_of(releases)
    if chosen is None:
        raise InputError(
            f"{releases[0].release.template} has no current release.",
            details=listed(releases),
            fix="Choose a release: --version VERSION",
        )
    _check_target(target, force=force)
    # The parts, and the file made of them.
    check_capacity(target.parent, 2 * chosen.image.size_bytes, f"exporting {chosen.name}")
    subject = chosen.release.template
    with writing(target):
        remove_dead_directories(target.parent)
        with temp_directory(target.parent) as directory:
            report.phase(subject, "download")
            metadata, rootfs = lxd.export_image(
                chosen.image.fingerprint,
                directory,
                on_progress=lambda progress: report.detail(subject, progress.text),
            )
            report.phase(subject, "pack")
            packed = directory / "packed"
            pack(
                packed,
                [metadata, *([rootfs] if rootfs else [])],
                fingerprint=chosen.image.fingerprint,
                properties=_properties(chosen),
            )
            _check_target(target, force=force)
            packed.replace(target)
    report.done(
        subject,
        f"{chosen.release.version} is in {target}, {format_size(target.stat().st_size)}",
    )
    return chosen


def check_capacity(directory: Path, needed: int, doing: str) -> None:
    """CapacityError where DIRECTORY has no room for NEEDED bytes."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise CapacityError(
            f"{directory} has {format_size(free)} free, {doing} needs {format_size(needed)}.",
            fix="Free some space there, or use another directory.",
        )


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Tell a file system's refusals in our words."""
    try:
        yield
    except OSError as error:
        brief = f"{target} cannot be written: {error.strerror or error}."
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise CapacityError(brief) from error
        raise InputError(brief) from error


def _check_target(target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise InputError(f"{target} is a directory.", fix="Add the name of the file.")
    if not target.parent.is_dir():
        raise InputError(
            f"There is no directory {target.parent}.", fix=f"Make it: mkdir -p {target.parent}"
        )
    if target.exists() and not force:
        raise InputError(f"{target} exists.", fix="Choose another name, or overwrite it: --force")


def _properties(chosen: PublishedRelease) -> dict[str, str]:
    """What is true of the release on any machine."""
    here = {BUILDER, *promoted_property(None)}
    return {key: value for key, value in chosen.image.properties.items() if key not in here}
