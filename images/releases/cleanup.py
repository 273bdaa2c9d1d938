"""Removing what a crash left: half-made instances and images whose builder is dead."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from images.checks.homes import remove_home, sweep_homes
from images.context import Workshop
from images.releases.published import is_ours
from images.releases.unfinished import is_abandoned, is_dead
from lab import labels
from lab.errors import Conflict
from lab.instances.removal import remove_image, remove_instance
from lab.lxd.model import Image, Instance
from lab.process import in_words
from lab.release import BUILDER, IMPORTED, Release, stable_alias
from lab.tempdir import sweep_scratch


def is_littered(shop: Workshop) -> bool:
    """Whether dead builders left something. Changes nothing."""
    if shop.build.project not in shop.lxd.projects():
        return False
    now = shop.lxd.now()
    return any(is_dead(_builder(one), one.created_at, now) for one in _half_made(shop)) or any(
        is_abandoned(image, now) for image in _marked(shop)
    )


def sweep(shop: Workshop) -> None:
    """Remove the leftovers of dead builders. Conflict while a living one is at work."""
    sweep_scratch()
    for instance in _half_made(shop):
        _refuse_if_alive(instance, shop.lxd.now())
        _wait_until_idle(shop, instance)
        remove_instance(shop.build, instance.name)
        remove_home(shop, instance.name)
        shop.report.say(f"Removed {instance.name}, left by a build that was cut off.")
    sweep_homes(shop)
    # A publish goes on in the daemon after its client is gone: its image may be yet to come.
    for instance in shop.build.instances():
        _wait_until_idle(shop, instance)
    for image in _marked(shop):
        if not is_abandoned(image, shop.lxd.now()):
            continue
        if _is_current(shop, image):
            # Cut off after its promotion; with the mark it would be removed when superseded.
            shop.lxd.set_image_properties(image.fingerprint, {BUILDER: ""})
            continue
        remove_image(shop.lxd, image.fingerprint)
        shop.report.say(f"Removed image {_name(image)}, left by a build that was cut off.")


def _half_made(shop: Workshop) -> Iterator[Instance]:
    for instance in shop.build.instances():
        if instance.config.get(labels.PHASE) == labels.PREPARING:
            yield instance


def _marked(shop: Workshop) -> Iterator[Image]:
    """This lab's images that carry the name of who makes them."""
    for image in shop.lxd.images():
        release = Release.of(image)
        # One without a name was cut off while it was imported, before it got its alias.
        ours = release is not None and (
            not image.aliases or is_ours(image, shop.settings.alias_prefix, release)
        )
        if image.properties.get(BUILDER) and (ours or IMPORTED in image.properties):
            yield image


def remove_kept(shop: Workshop, templates: Collection[str]) -> None:
    """Remove what `--keep-failed` kept of TEMPLATES, which are about to be built again."""
    for instance in shop.build.instances():
        config = instance.config
        if config.get(labels.PHASE) == labels.FAILED and config.get(labels.TEMPLATE) in templates:
            remove_instance(shop.build, instance.name)
            remove_home(shop, instance.name)
            shop.report.say(f"Removed {instance.name}, kept for a look from an earlier failure.")


def _refuse_if_alive(instance: Instance, now: datetime) -> None:
    builder = _builder(instance)
    if not is_dead(builder, instance.created_at, now):
        raise Conflict(
            f"{instance.name} is being built by {in_words(builder)}.",
            fix="Wait for it to end. If it is dead, remove its instance: "
            f"lxc --project {instance.project} delete --force {instance.name}",
        )


def _wait_until_idle(shop: Workshop, instance: Instance) -> None:
    shop.build.wait_until_idle(instance.name)


def _is_current(shop: Workshop, image: Image) -> bool:
    release = Release.of(image)
    return (
        release is not None
        and stable_alias(shop.settings.alias_prefix, release.template) in image.aliases
    )


def _builder(instance: Instance) -> str:
    return instance.config.get(labels.BUILDER, "")


def _name(image: Image) -> str:
    return image.aliases[0] if image.aliases else image.fingerprint[:12]
