"""What LXD holds of labstamp's: releases with their states, and bodies. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from images.body import body_name
from images.plan import Current, Held
from images.workshop import Workshop
from lab import keys
from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.release import Release, Smoke, stable_alias


class Standing(str, Enum):
    """Where a release is in its life."""

    CURRENT = "current"
    CANDIDATE = "candidate"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    release: Release
    image: Image
    standing: Standing


def published(lxd: Lxd, prefix: str) -> tuple[Published, ...]:
    """Every release, newest first within its template."""
    found = [
        Published(release=release, image=image, standing=_standing(release, image, prefix))
        for image in lxd.images()
        if (release := Release.of(image)) is not None and _is_ours(image, prefix, release)
    ]
    found.sort(key=lambda one: one.release.built_at, reverse=True)
    found.sort(key=lambda one: one.release.template)
    return tuple(found)


def held(shop: Workshop) -> Held:
    """What planning needs."""
    current = {
        one.release.template: Current(
            version=one.release.version, recipe=one.release.recipe, inputs=one.release.inputs
        )
        for one in published(shop.lxd, shop.settings.alias_prefix)
        if one.standing is Standing.CURRENT
    }
    return Held(releases=current, bodies=_bodies(shop))


def _bodies(shop: Workshop) -> dict[str, str]:
    if shop.build.project not in shop.lxd.projects():
        return {}
    return {
        template: instance.config[keys.RECIPE]
        for instance in shop.build.instances()
        if (template := instance.config.get(keys.TEMPLATE))
        and instance.name == body_name(template)
        and instance.config.get(keys.PHASE) == keys.READY
    }


def _is_ours(image: Image, prefix: str, release: Release) -> bool:
    """Releases of another alias prefix (a test's, a second lab's) are not ours to judge."""
    return any(alias.startswith(f"{prefix}/{release.template}") for alias in image.aliases)


def _standing(release: Release, image: Image, prefix: str) -> Standing:
    if stable_alias(prefix, release.template) in image.aliases:
        return Standing.CURRENT
    if release.smoke is Smoke.FAILED:
        return Standing.FAILED
    if release.smoke is Smoke.PENDING:
        return Standing.CANDIDATE
    return Standing.SUPERSEDED
