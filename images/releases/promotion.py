"""Which release users get: `promote` chooses one, `rollback` returns to the one before.

Both move one alias and rebuild nothing. The way back is written on the releases themselves: each
carries by which promotion it became current (`promotion_order`), so two admins see one history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from images.releases.promotion_order import next_turn, promoted_property, promotion
from images.releases.published import (
    PublishedRelease,
    ReleaseState,
    current_of,
    listed,
    release_called,
    releases_of,
)
from lab.allowed import refuse_ungranted
from lab.errors import InputError
from lab.lxd.port import Lxd
from lab.process import in_words
from lab.release import BUILDER, Release, Smoke, stable_alias

Judge = Callable[[PublishedRelease], None]
"""Runs the checks of a release and records that it passed; CheckError when it did not."""
Fits = Callable[[Release], None]
"""InputError where the release's driver does not fit this host (`compatibility`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """OLD was current before; the same as NEW when nothing was to be done."""

    template: str
    old: str | None
    new: str

    def __str__(self) -> str:
        if self.old == self.new:
            return f"{self.template}: {self.new} is current already, nothing to do."
        before = f" (before: {self.old})" if self.old else ""
        return f"{self.template}: {self.new} is current{before}."


def promote(
    lxd: Lxd, prefix: str, template: str, version: str, *, judge: Judge, fits: Fits
) -> Moved:
    """Make VERSION the release that users get. An imported one is JUDGEd on this machine first."""
    releases = releases_of(lxd, prefix, template)
    chosen, current = release_called(releases, version), current_of(releases)
    if chosen is not current:
        fits(chosen.release)
        _refuse_unfit(chosen)
        if chosen.release.smoke is Smoke.PENDING:
            judge(chosen)
        turn = next_turn(one.image for one in releases)
        lxd.set_image_properties(chosen.image.fingerprint, promoted_property(turn))
        _point(lxd, prefix, chosen)
    return _moved(current, chosen)


def rollback(lxd: Lxd, prefix: str, template: str, *, fits: Fits) -> Moved:
    """Return to the release that was current before. Done twice, it goes back two.

    The release left behind counts as never promoted: the next rollback does not return to it.
    """
    releases = releases_of(lxd, prefix, template)
    current, before = current_of(releases), previous(releases)
    if before is None:
        raise InputError(
            f"{releases[0].release.template}: no release was current before "
            f"{current.release.version if current else 'this'}.",
            details=listed(releases),
            fix=f"Choose one: invoke promote {releases[0].release.short} VERSION",
        )
    fits(before.release)
    refuse_ungranted(before.release)
    if current is not None:
        # First: cut off in between, a second rollback still goes back by one only.
        lxd.set_image_properties(current.image.fingerprint, promoted_property(None))
    _point(lxd, prefix, before)
    return _moved(current, before)


def previous(releases: Sequence[PublishedRelease]) -> PublishedRelease | None:
    """The one of a template's RELEASES that was current before the one that is. Pure.

    One that failed its checks since then is passed over.
    """
    current = current_of(releases)
    until = promotion(current.image) if current else None
    earlier = [
        (when, one)
        for one in releases
        if one is not current
        and one.release.smoke in (Smoke.PASSED, Smoke.SKIPPED)
        and (when := promotion(one.image)) is not None
        # Two admins who promote at one moment take one number.
        and (until is None or when <= until)
    ]
    return max(earlier, key=lambda pair: pair[0])[1] if earlier else None


def _refuse_unfit(chosen: PublishedRelease) -> None:
    refuse_ungranted(chosen.release)
    builder = chosen.image.properties.get(BUILDER)
    if chosen.state is ReleaseState.FAILED:
        raise InputError(
            f"{chosen.name} failed its checks, so users cannot get it.",
            fix=f"Correct its definition, then: invoke build-images --only {chosen.release.short}",
        )
    if builder:
        raise InputError(
            f"{chosen.name} is not finished: {in_words(builder)} is making it, or was interrupted.",
            fix=f"Wait for it to end, or: invoke build-images --only {chosen.release.short}",
        )


def _point(lxd: Lxd, prefix: str, chosen: PublishedRelease) -> None:
    """The one moment at which users get another release."""
    lxd.set_alias(stable_alias(prefix, chosen.release.template), chosen.image.fingerprint)


def _moved(old: PublishedRelease | None, new: PublishedRelease) -> Moved:
    return Moved(
        template=new.release.template,
        old=old.release.version if old else None,
        new=new.release.version,
    )
