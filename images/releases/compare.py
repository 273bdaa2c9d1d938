"""`diff-images`: which packages differ between two releases of a template."""

from __future__ import annotations

from dataclasses import dataclass

from images.releases.packages import Change, changes, packages_of
from images.releases.promotion import previous
from images.releases.published import (
    PublishedRelease,
    current_of,
    listed,
    release_called,
    releases_of,
)
from lab.errors import InputError
from lab.lxd.port import Lxd


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    old: PublishedRelease
    new: PublishedRelease
    changes: tuple[Change, ...]


def diff_images(
    lxd: Lxd, prefix: str, template: str, old: str | None = None, new: str | None = None
) -> Difference:
    """Compare OLD (the release current before) with NEW (the current one)."""
    releases = releases_of(lxd, prefix, template)
    then = release_called(releases, old) if old else previous(releases)
    now = release_called(releases, new) if new else current_of(releases)
    if then is None or now is None:
        raise InputError(
            f"Fewer than two releases of {releases[0].release.template} have been current.",
            details=listed(releases),
            fix="Name two releases: "
            f"invoke diff-images {releases[0].release.short} --old V1 --new V2",
        )
    return Difference(
        old=then,
        new=now,
        changes=changes(packages_of(then.image, then.name), packages_of(now.image, now.name)),
    )
