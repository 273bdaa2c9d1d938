"""The releases that LXD has, with their states. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Image, Instance
from lab.lxd.port import Lxd
from lab.names import did_you_mean, quote
from lab.release import Release, Smoke, Unreadable, read_release, stable_alias


class ReleaseState(str, Enum):
    """Where a release is in its life."""

    CURRENT = "current"
    CANDIDATE = "candidate"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRelease:
    release: Release
    image: Image
    state: ReleaseState

    @property
    def name(self) -> str:
        """`docker-nested 20261121.1`."""
        return f"{self.release.template} {self.release.version}"

    def __str__(self) -> str:
        return f"{self.release.version} ({self.state.value}, checks: {self.release.smoke.value})"


def published(lxd: Lxd, prefix: str) -> tuple[PublishedRelease, ...]:
    """Every release, newest first within its template."""
    found = [
        PublishedRelease(release=release, image=image, state=_state(release, image, prefix))
        for image in lxd.images()
        if (release := Release.of(image)) is not None and is_ours(image, prefix, release)
    ]
    # By LXD's own time: what the builder's clock said is in their names and properties.
    found.sort(key=lambda one: one.image.created_at, reverse=True)
    found.sort(key=lambda one: one.release.template)
    return tuple(found)


def unreadable(lxd: Lxd, prefix: str) -> tuple[Unreadable, ...]:
    """The images that have an alias of this lab's, and are releases beyond reading."""
    every = (read_release(image) for image in lxd.images() if _is_named(image, prefix))
    return tuple(one for one in every if isinstance(one, Unreadable))


def releases_of(lxd: Lxd, prefix: str, template: str) -> tuple[PublishedRelease, ...]:
    """The releases of TEMPLATE (its short name will do), newest first. InputError without any.

    Looked up in LXD alone: a definition that is broken or gone keeps nobody from rolling back.
    """
    every = published(lxd, prefix)
    found = tuple(one for one in every if template == one.release.template)
    found = found or tuple(one for one in every if template == one.release.short)
    known = sorted({one.release.template for one in found or every})
    if not found:
        children = sorted({one.release.template for one in every if one.release.parent == template})
        meant = "" if children else did_you_mean(template, known)
        told = [f"There are releases of: {', '.join(known) or 'nothing'}."]
        raise InputError(
            f"There is no release of {quote(template)}{meant}.",
            details="\n".join([*told, *(f"{one}." for one in unreadable(lxd, prefix))]),
            fix=f"Name a template that is based on it: {', '.join(children)}" if children else None,
        )
    if len(known) > 1:
        raise InputError(
            f"{quote(template)} is short for several templates: {', '.join(known)}.",
            fix="Type the full name of one of them.",
        )
    return found


def release_called(releases: Sequence[PublishedRelease], version: str) -> PublishedRelease:
    """The one of that VERSION among a template's RELEASES. InputError lists those there are."""
    for one in releases:
        if one.release.version == version:
            return one
    raise InputError(
        f"{releases[0].release.template} has no release {quote(version)}.",
        details=listed(releases),
        fix="Choose one of these versions.",
    )


def listed(releases: Sequence[PublishedRelease]) -> str:
    """A template's RELEASES, for the details of an error."""
    return "\n".join(["Its releases:", *map(str, releases)])


def current_of(releases: Sequence[PublishedRelease]) -> PublishedRelease | None:
    """The one of a template's RELEASES that users get."""
    return next((one for one in releases if one.state is ReleaseState.CURRENT), None)


def users(one: PublishedRelease, containers: Sequence[Instance]) -> list[str]:
    """The names of those CONTAINERS that were made from this release."""
    wanted = {labels.TEMPLATE: one.release.template, labels.VERSION: one.release.version}
    return [
        container.name
        for container in containers
        if container.image == one.image.fingerprint
        or all(container.config.get(key) == value for key, value in wanted.items())
    ]


def is_ours(image: Image, prefix: str, release: Release) -> bool:
    """Releases of another alias prefix (a test's, a second lab's) are not ours to judge."""
    stable = stable_alias(prefix, release.template)
    return any(alias == stable or alias.startswith(f"{stable}/") for alias in image.aliases)


def _is_named(image: Image, prefix: str) -> bool:
    return any(alias.startswith(f"{prefix}/") for alias in image.aliases)


def _state(release: Release, image: Image, prefix: str) -> ReleaseState:
    if stable_alias(prefix, release.template) in image.aliases:
        return ReleaseState.CURRENT
    if release.smoke is Smoke.FAILED:
        return ReleaseState.FAILED
    if release.smoke is Smoke.PENDING:
        return ReleaseState.CANDIDATE
    return ReleaseState.SUPERSEDED
