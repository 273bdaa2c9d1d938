"""The releases that containers are made from: those that users get now."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.lxd.port import Lxd
from lab.release import (
    BUILDER,
    PACKAGES,
    Release,
    Smoke,
    Unreadable,
    accounts_of,
    read_release,
    stable_alias,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A current release, and the image that is it."""

    release: Release
    fingerprint: str
    accounts: frozenset[str] = frozenset()
    """Names of accounts and groups that the image has; empty where it does not tell."""
    packages: str = field(default="", repr=False)
    """What is installed, packed (`lab.dpkg`); empty where it does not tell."""


def read_offers(lxd: Lxd, prefix: str) -> tuple[Offer, ...]:
    """The current releases: those that a stable alias points at, by name."""
    images = {image.fingerprint: image for image in lxd.images()}
    found: list[Offer] = []
    for alias, fingerprint in sorted(lxd.aliases().items()):
        image = images.get(fingerprint)
        release = Release.of(image) if image else None
        if image and release and alias == stable_alias(prefix, release.template):
            accounts = accounts_of(image)
            found.append(Offer(release=release, fingerprint=fingerprint, accounts=accounts))
    return tuple(found)


def read_releases(lxd: Lxd) -> tuple[Offer, ...]:
    """All that passed their checks, current or not."""
    found = ((image, Release.of(image)) for image in lxd.images())
    return tuple(
        Offer(
            release=release,
            fingerprint=image.fingerprint,
            accounts=accounts_of(image),
            packages=image.properties.get(PACKAGES, ""),
        )
        for image, release in found
        if release is not None
        and release.smoke in {Smoke.PASSED, Smoke.SKIPPED}
        and not image.properties.get(BUILDER)
    )


def read_unreadable(lxd: Lxd, prefix: str) -> tuple[str, ...]:
    """Why the images of stable aliases are no releases, a line each."""
    current = {name: to for name, to in lxd.aliases().items() if name.startswith(f"{prefix}/")}
    found = {image.fingerprint: read_release(image) for image in (lxd.images() if current else ())}
    return tuple(
        f"{name} cannot be read: {'; '.join(one.problems)}"
        for name, to in sorted(current.items())
        if name.count("/") == 1 and isinstance(one := found.get(to), Unreadable)
    )


def find_offer(offers: tuple[Offer, ...], template: str) -> Offer | None:
    """By full name, else by short name."""
    for offer in offers:
        if offer.release.template == template:
            return offer
    return next((offer for offer in offers if offer.release.short == template), None)
