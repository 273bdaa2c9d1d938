"""What LXD has of what planning needs: current releases, and finished bodies. Reads only."""

from __future__ import annotations

from images.build.body import body_name
from images.build.kept import recipe_of
from images.build.plan import Current, Held
from images.context import Workshop
from images.releases.published import Standing, published
from lab import labels


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
        template: recipe
        for instance in shop.build.instances()
        if (template := instance.config.get(labels.TEMPLATE))
        and instance.name == body_name(template)
        and (recipe := recipe_of(instance)) is not None
    }
