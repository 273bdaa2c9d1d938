"""`import-image`: a release from a file of `export-image`, checked before LXD sees a byte of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from images.archive import unpack
from images.catalog_rules import device_refusal, key_refusal
from images.definition_file import is_name
from images.export import check_room, writing
from images.manifest import Manifest
from images.scratch import scratch, sweep_scratch
from images.sweep import BUILDER
from lab.errors import InputError
from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.process import me
from lab.release import Release, Smoke, smoke_property, version_alias
from lab.report import Report

_VERSION = re.compile(r"\d{8}\.[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    release: Release
    is_new: bool

    def __str__(self) -> str:
        return self.told(None)

    def told(self, misfit: str | None) -> str:
        """MISFIT: why users of this host cannot have it (`images.fitness`), if they cannot."""
        name = f"{self.release.template} {self.release.version}"
        if not self.is_new:
            return f"{name} is here already, nothing to do."
        if misfit:
            return (
                f"{name} is imported, and not for users of this host: {misfit}.\n"
                "Next, to make one that fits:\n"
                f"  invoke build-images --only {self.release.short}"
            )
        return (
            f"{name} is imported; users do not get it yet.\n"
            "Next, to check it on this machine and give it to users:\n"
            f"  invoke promote {self.release.short} {self.release.version}"
        )


def import_image(lxd: Lxd, prefix: str, source: Path, *, report: Report) -> Imported:
    """Bring the release in SOURCE into LXD under its immutable alias; InputError changes nothing.

    The stable alias stays where it is, also where there is none: what passed its checks elsewhere
    may fail on this machine's kernel and driver, so `promote` checks an imported release first.
    """
    if not source.is_file():
        raise InputError(f"There is no file {source}.")
    sweep_scratch()
    with scratch() as directory:
        report.phase(source.name, "verify")
        with writing(directory):
            check_room(directory, source.stat().st_size, f"importing {source.name}")
            manifest, paths = unpack(source, directory)
        release = _release(source, manifest)
        alias = version_alias(prefix, release.template, release.version)
        taken = lxd.aliases().get(alias)
        if taken == manifest.fingerprint:
            return Imported(release=release, is_new=False)
        if taken is not None:
            raise InputError(
                f"{release.template} {release.version} is here already, with other content.",
                details=f"Here:    {taken}\nIn file: {manifest.fingerprint}",
                fix=f"If the one here is not needed: lxc image delete {alias}",
            )
        report.phase(source.name, "import")
        _bring(lxd, manifest, paths, report, source.name)
        lxd.set_alias(alias, manifest.fingerprint)
        lxd.set_image_properties(manifest.fingerprint, {BUILDER: ""})
    report.done(source.name, "imported")
    return Imported(release=release, is_new=True)


def _bring(
    lxd: Lxd, manifest: Manifest, paths: tuple[Path, ...], report: Report, subject: str
) -> None:
    there = lxd.image(manifest.fingerprint)
    if there is not None and Release.of(there) is not None:
        # Another lab on this server has it, or an import that was cut off: one image, one truth.
        return
    metadata, *rest = paths
    lxd.import_image(
        metadata,
        rest[0] if rest else None,
        # The mark last of all is taken away: until then the next build removes what a crash left.
        properties={
            **manifest.properties,
            **smoke_property(Smoke.PENDING),
            BUILDER: me(),
        },
        on_progress=lambda progress: report.detail(subject, progress.text),
    )


def _release(source: Path, manifest: Manifest) -> Release:
    """What SOURCE holds, if containers may be made of it."""
    found = Release.of(
        Image(
            fingerprint=manifest.fingerprint,
            properties=manifest.properties,
            created_at=datetime.now(tz=timezone.utc),
        )
    )
    if found is None:
        raise InputError(f"{source} holds an image that is no release of labstamp.")
    if objections := tuple(_objections(found, manifest)):
        raise InputError(
            f"{source} holds a release that cannot be used here.", details="\n".join(objections)
        )
    return found


def _objections(release: Release, manifest: Manifest) -> Iterator[str]:
    for name in (release.template, release.short):
        if not is_name(name):
            yield f"{name!r} is no name of a template"
    if not _VERSION.fullmatch(release.version):
        yield f"{release.version!r} is no version"
    for key in manifest.properties:
        if key != "description" and not key.startswith("lab."):
            yield f"the property {key!r} is none of labstamp's"
    for key, value in release.needs.config.items():
        if reason := key_refusal(key, str(value)):
            yield f"{key}: {reason}"
    for name, device in release.needs.devices.items():
        if reason := device_refusal(device):
            yield f"device {name}: {reason}"
