"""What LXD has of what planning needs: current releases, and finished bodies. Reads only."""

from __future__ import annotations

from images.build.body import body_name
from images.build.kept import recipe_of
from images.build.plan import Current, Existing
from images.context import BuildContext
from images.releases.published import ReleaseState, published
from lab import labels


def read_existing(context: BuildContext) -> Existing:
    """What planning needs."""
    current = {
        one.release.template: Current(
            version=one.release.version, recipe=one.release.recipe, inputs=one.release.inputs
        )
        for one in published(context.lxd, context.settings.alias_prefix)
        if one.state is ReleaseState.CURRENT
    }
    return Existing(releases=current, bodies=_bodies(context))


def _bodies(context: BuildContext) -> dict[str, str]:
    if context.build.project not in context.lxd.projects():
        return {}
    return {
        template: recipe
        for instance in context.build.instances()
        if (template := instance.config.get(labels.TEMPLATE))
        and instance.name == body_name(template)
        and (recipe := recipe_of(instance)) is not None
    }
