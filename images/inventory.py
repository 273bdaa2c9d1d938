"""`invoke images`: every release with its state, age, users, and why it is stale."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from images.build.pipeline import plan_images
from images.build.plan import Build, Decision
from images.context import BuildContext
from images.releases.published import PublishedRelease, published, unreadable, users
from lab.lxd.model import Instance
from lab.release import Unreadable


def images_document(context: BuildContext) -> dict[str, Any]:
    """The stable JSON document of `invoke images --json` (docs/reference.md)."""
    _, decisions = plan_images(context)
    catalog = context.catalog
    return document(
        tuple((one.name, one.short) for one in catalog.released()),
        published(context.lxd, context.settings.alias_prefix),
        decisions,
        context.lxd.instances(),
        unreadable(context.lxd, context.settings.alias_prefix),
        abstract={one.name for one in catalog.order() if one.abstract},
    )


def document(
    templates: Sequence[tuple[str, str]],
    releases: Sequence[PublishedRelease],
    decisions: Sequence[Decision],
    containers: Sequence[Instance],
    spoiled: Sequence[Unreadable] = (),
    *,
    abstract: Collection[str] = (),
) -> dict[str, Any]:
    """Pure part: TEMPLATES are (name, short); those only LXD knows come last.

    ABSTRACT templates are shown where they have releases, from before they were abstract.
    """
    known = dict(templates)
    stale = {d.template: d.reason for d in decisions if isinstance(d, Build)}
    stale = {name: why for name, why in stale.items() if name in known}
    stale |= dict.fromkeys(abstract, "its template is abstract now")
    strangers = {r.release.template: r.release.short for r in releases}
    return {
        "templates": [
            {
                "name": name,
                "short": short,
                "stale": stale.get(
                    name, None if name in known else "its definition no longer exists"
                ),
                "versions": [
                    _version(one, containers) for one in releases if one.release.template == name
                ],
            }
            for name, short in {**known, **strangers, **known}.items()
        ],
        "unreadable": [
            {
                "name": one.name,
                "fingerprint": one.image.fingerprint,
                "aliases": list(one.image.aliases),
                "problems": list(one.problems),
                "fix": one.way_out,
            }
            for one in spoiled
        ],
    }


def _version(one: PublishedRelease, containers: Sequence[Instance]) -> dict[str, Any]:
    return {
        "version": one.release.version,
        "fingerprint": one.image.fingerprint,
        "driver": one.release.driver,
        "recipe": one.release.recipe,
        # By the builder's clock, and by LXD's, which is what counts.
        "built_at": one.release.built_at.isoformat(timespec="seconds"),
        "added_at": one.image.created_at.isoformat(timespec="seconds"),
        "size_bytes": one.image.size_bytes,
        "state": one.state.value,
        "smoke": one.release.smoke.value,
        "gpu": one.release.gpu.value,
        "used_by": sorted(users(one, containers)),
    }
