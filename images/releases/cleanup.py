"""Removing what a crash left: half-made instances and images whose builder is dead."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from images.checks.homes import remove_home, remove_leftover_homes
from images.context import BuildContext
from images.releases.published import is_ours
from images.releases.unfinished import is_abandoned, is_dead
from lab import labels
from lab.errors import Conflict
from lab.instances.removal import remove_image, remove_instance
from lab.lxd.model import Image, Instance
from lab.process import in_words
from lab.release import BUILDER, IMPORTED, Release, stable_alias
from lab.tempdir import remove_dead_directories


def has_leftovers(context: BuildContext) -> bool:
    """Whether dead builders left something. Changes nothing."""
    if context.build.project not in context.lxd.projects():
        return False
    now = context.lxd.now()
    return any(is_dead(_builder(one), one.created_at, now) for one in _half_made(context)) or any(
        is_abandoned(image, now) for image in _marked(context)
    )


def remove_leftovers(context: BuildContext) -> None:
    """Remove the leftovers of dead builders. Conflict while a living one is at work."""
    remove_dead_directories()
    for instance in _half_made(context):
        _refuse_if_alive(instance, context.lxd.now())
        _wait_until_idle(context, instance)
        remove_instance(context.build, instance.name)
        remove_home(context, instance.name)
        context.report.say(f"Removed {instance.name}, left by an interrupted build.")
    remove_leftover_homes(context)
    # A publish goes on in the daemon after its client is gone: its image may be yet to come.
    for instance in context.build.instances():
        _wait_until_idle(context, instance)
    for image in _marked(context):
        if not is_abandoned(image, context.lxd.now()):
            continue
        if _is_current(context, image):
            # Cut off after its promotion; with the mark it would be removed when superseded.
            context.lxd.set_image_properties(image.fingerprint, {BUILDER: ""})
            continue
        remove_image(context.lxd, image.fingerprint)
        context.report.say(f"Removed image {_name(image)}, left by an interrupted build.")


def _half_made(context: BuildContext) -> Iterator[Instance]:
    for instance in context.build.instances():
        if instance.config.get(labels.PHASE) == labels.PREPARING:
            yield instance


def _marked(context: BuildContext) -> Iterator[Image]:
    """This lab's images that carry the name of who makes them."""
    for image in context.lxd.images():
        release = Release.of(image)
        # One without a name was cut off while it was imported, before it got its alias.
        is_managed = release is not None and (
            not image.aliases or is_ours(image, context.settings.alias_prefix, release)
        )
        if image.properties.get(BUILDER) and (is_managed or IMPORTED in image.properties):
            yield image


def remove_kept_failures(context: BuildContext, templates: Collection[str]) -> None:
    """Remove what `--keep-failed` kept of TEMPLATES, which are about to be built again."""
    for instance in context.build.instances():
        config = instance.config
        if config.get(labels.PHASE) == labels.FAILED and config.get(labels.TEMPLATE) in templates:
            remove_instance(context.build, instance.name)
            remove_home(context, instance.name)
            context.report.say(f"Removed {instance.name}, kept to inspect an earlier failure.")


def _refuse_if_alive(instance: Instance, now: datetime) -> None:
    builder = _builder(instance)
    if not is_dead(builder, instance.created_at, now):
        raise Conflict(
            f"{instance.name} is being built by {in_words(builder)}.",
            fix="Wait for it to end. If that process no longer exists, remove its instance: "
            f"lxc --project {instance.project} delete --force {instance.name}",
        )


def _wait_until_idle(context: BuildContext, instance: Instance) -> None:
    context.build.wait_until_idle(instance.name)


def _is_current(context: BuildContext, image: Image) -> bool:
    release = Release.of(image)
    return (
        release is not None
        and stable_alias(context.settings.alias_prefix, release.template) in image.aliases
    )


def _builder(instance: Instance) -> str:
    return instance.config.get(labels.BUILDER, "")


def _name(image: Image) -> str:
    return image.aliases[0] if image.aliases else image.fingerprint[:12]
