"""`import-image`: a release from a file of `export-image`, checked before LXD sees a byte of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from images.checks.secrets import CLEANED
from images.releases.archive import unpack
from images.releases.exporting import check_capacity, writing
from images.releases.manifest import Manifest
from images.releases.published import PublishedRelease, published
from images.releases.tarball import nodes_in
from images.releases.unfinished import is_abandoned
from lab.allowed import objections
from lab.errors import InputError
from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.names import quote
from lab.process import me
from lab.properties import PREFIX
from lab.release import (
    ACCOUNTS,
    BUILDER,
    PACKAGES,
    Release,
    Smoke,
    Unreadable,
    read_release,
    smoke_property,
    version_alias,
)
from lab.report import Report
from lab.tempdir import remove_dead_directories, temp_directory

_DESCRIPTION = "description"
_LONGEST = {PACKAGES: 2 << 20, ACCOUNTS: 64 << 10, CLEANED: 40, _DESCRIPTION: 500}
"""Characters of what is kept beside the release's own properties. A desktop's list has 20 000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    release: Release
    is_new: bool


def import_image(lxd: Lxd, prefix: str, source: Path, *, report: Report) -> Imported:
    """Bring the release in SOURCE into LXD under its immutable alias; InputError changes nothing.

    The stable alias stays where it is, also where there is none: what passed its checks elsewhere
    may fail on this machine's kernel and driver, so `promote` checks an imported release first.
    """
    if not source.is_file():
        raise InputError(f"There is no file {source}.", fix="Check the path.")
    remove_dead_directories()
    with temp_directory() as directory:
        report.phase(source.name, "verify")
        with writing(directory):
            check_capacity(directory, source.stat().st_size, f"importing {source.name}")
            manifest, paths = unpack(source, directory)
        release = _release(source, manifest)
        _refuse_collision(source, release, published(lxd, prefix))
        alias = version_alias(prefix, release.template, release.version)
        taken = lxd.aliases().get(alias)
        if taken == manifest.fingerprint:
            return Imported(release=release, is_new=_finish(lxd, taken))
        if taken is not None:
            raise InputError(
                f"{release.template} {release.version} exists here already, with other content.",
                details=f"Here:    {taken}\nIn file: {manifest.fingerprint}",
                fix=f"Delete the release here, if it is not needed: lxc image delete {alias}",
            )
        if nodes := nodes_in(paths, source, room=_room(lxd)):
            raise InputError(
                f"{source} contains an image with device nodes, which every user of the image "
                "could open.",
                details="\n".join(nodes),
                fix="Remove them from the template where it was built: the check `special` there\n"
                "names each.",
            )
        report.phase(source.name, "import")
        _bring(lxd, release, manifest, paths, report)
        lxd.set_alias(alias, manifest.fingerprint)
        lxd.set_image_properties(manifest.fingerprint, {BUILDER: ""})
    report.done(source.name, "imported")
    return Imported(release=release, is_new=True)


def _finish(lxd: Lxd, fingerprint: str) -> bool:
    """Whether that image had the mark of a dead run, which `promote` refuses; it is removed."""
    image = lxd.image(fingerprint)
    if image is None or not is_abandoned(image, lxd.now()):
        return False
    lxd.set_image_properties(fingerprint, {BUILDER: ""})
    return True


def _room(lxd: Lxd) -> int | None:
    """What the roomiest pool has free; None where one does not tell."""
    free = [pool.free_bytes for pool in lxd.pools()]
    known = [each for each in free if each is not None]
    return max(known) if known and len(known) == len(free) else None


def _bring(
    lxd: Lxd, release: Release, manifest: Manifest, paths: tuple[Path, ...], report: Report
) -> None:
    there = lxd.image(manifest.fingerprint)
    if there is not None and _is_anothers(there, release):
        # Another lab on this server has it, and what it found out of it is true here, too.
        return
    metadata, *rest = paths
    # The mark last of all is taken away: until then the next build removes what a crash left.
    told = {**_taken(manifest.properties), **smoke_property(Smoke.PENDING, Smoke.PENDING)}
    made = lxd.import_image(
        metadata,
        rest[0] if rest else None,
        properties={**told, BUILDER: me()},
        on_progress=lambda progress: report.detail(release.template, progress.text),
    )
    # LXD adds those of the image's own metadata.yaml: that it was promoted, for one.
    claimed = {key: "" for key in made.properties if key not in told and key != BUILDER}
    if claimed:
        lxd.set_image_properties(made.fingerprint, claimed)


def _is_anothers(image: Image, release: Release) -> bool:
    """Whether IMAGE is this RELEASE to a lab that has given it its name."""
    end = f"/{release.template}/{release.version}"
    found = read_release(image)
    return isinstance(found, Release) and any(alias.endswith(end) for alias in image.aliases)


def _taken(properties: Mapping[str, str]) -> dict[str, str]:
    """Those of a file's PROPERTIES that say what the image is.

    Not what happened to it elsewhere (checks, promotions, who made it), and no others: a later
    labstamp may give any of them a meaning.
    """
    wanted = {*Release.keys(), *_LONGEST}
    return {key: value for key, value in properties.items() if key in wanted}


def _release(source: Path, manifest: Manifest) -> Release:
    """What SOURCE holds, if containers may be made of it."""
    taken = {**_taken(manifest.properties), **smoke_property(Smoke.PENDING)}
    found = read_release(
        Image(
            fingerprint=manifest.fingerprint,
            properties=taken,
            created_at=datetime.now(tz=timezone.utc),
        )
    )
    if not any(key.startswith(PREFIX) for key in manifest.properties) or found is None:
        raise InputError(
            f"{source} contains an image that is not a labstamp release.",
            fix="Give a file that `invoke export-image` wrote.",
        )
    found_wrong = (
        found.problems if isinstance(found, Unreadable) else objections(found.needs)
    ) + tuple(_strange(manifest.properties))
    if found_wrong or isinstance(found, Unreadable):
        raise InputError(
            f"{source} contains a release that cannot be used here.",
            details="\n".join(found_wrong),
            fix="Correct the template on the machine that exported it, then export it again.",
        )
    return found


def _strange(properties: Mapping[str, str]) -> Iterator[str]:
    for key, value in properties.items():
        if key != _DESCRIPTION and not key.startswith(PREFIX):
            yield f"the property {key!r} is not a property of labstamp"
        if len(value) > (most := _LONGEST.get(key, len(value))):
            yield f"{key}: is longer than {most} characters"
    if not re.fullmatch(r"[0-9]{0,12}(\.[0-9]{1,9})?", properties.get(CLEANED, "")):
        yield f"{CLEANED}: is not a time in seconds"
    if not properties.get(_DESCRIPTION, "").isprintable():
        yield f"{_DESCRIPTION}: is not printable"


def _refuse_collision(source: Path, release: Release, here: tuple[PublishedRelease, ...]) -> None:
    """One name for two templates: users would get the one for the other."""
    names = {release.template, release.short}
    for other in (one.release for one in here):
        taken = names & {other.template, other.short}
        if other.template != release.template and taken:
            raise InputError(
                f"{source} contains a release of {release.template} (short: {release.short}); "
                f"{quote(min(taken))} means {other.template} here.",
                fix="Change the name and the short name on the machine that builds the template, "
                "then export the release again.",
            )
