"""From a finished root file system to what users get: publish, judge, move the alias."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timezone

from images.build.driver_layer import Finished
from images.build.packing import PACKED
from images.build.recipe import PIPELINE
from images.build.targets import Order
from images.build.user_accounts import refuse_without_room
from images.checks.gpu import given
from images.checks.runner import smoke
from images.checks.secrets import CLEANED
from images.checks.trial import Trial
from images.checks.verdict import gpu_outcome
from images.context import Log, Workshop
from images.releases.accounts import accounts_property
from images.releases.compatibility import refuse_misfit
from images.releases.packages import packages_property
from images.releases.promotion_order import next_turn, promoted_property
from images.releases.published import published
from lab import labels
from lab.errors import CheckError
from lab.instances.removal import remove_image
from lab.lxd.model import Image
from lab.process import me
from lab.release import (
    BUILDER,
    Release,
    Smoke,
    next_version,
    smoke_property,
    stable_alias,
    version_alias,
)


def publish_release(
    shop: Workshop, order: Order, finished: Finished, log: Log, *, smoke_test: bool
) -> tuple[Release, Image, Smoke]:
    """Publish what is FINISHED, judge the image, and only then give it to users."""
    release = _release(shop, order)
    with ExitStack() as undo:
        undo.callback(_discard, shop, release, finished.instance)
        refuse_without_room(shop.build, finished.instance, release.template, release.needs)
        image = _publish(shop, release, finished, log)
        outcome = gpu = Smoke.SKIPPED
        if smoke_test:
            outcome, gpu = Smoke.PASSED, _judge(shop, release, image, log)
        refuse_misfit(shop.lxd, shop.settings, release)
        _promote(shop, release, image, smoke_property(outcome, gpu))
        undo.pop_all()
    return release, image, outcome


def _release(shop: Workshop, order: Order) -> Release:
    definition = order.definition
    prefix = f"{stable_alias(shop.settings.alias_prefix, definition.name)}/"
    taken = [alias.removeprefix(prefix) for alias in shop.lxd.aliases() if alias.startswith(prefix)]
    # Containers outlive the releases they were made from.
    taken += [
        one.config.get(labels.VERSION, "")
        for one in shop.lxd.instances()
        if one.config.get(labels.TEMPLATE) == definition.name
    ]
    now = datetime.now(tz=timezone.utc)
    return Release(
        template=definition.name,
        short=definition.short,
        version=next_version(taken, now),
        recipe=order.wanted.release.id,
        inputs=order.wanted.release.inputs,
        parent=definition.parent,
        distro=shop.distro.name,
        driver=order.layer.version,
        built_at=now,
        commit=shop.commit,
        pipeline=PIPELINE,
        needs=shop.catalog.needs(definition.name),
    )


def _publish(shop: Workshop, release: Release, finished: Finished, log: Log) -> Image:
    log.phase("publish")
    aliases = [version_alias(shop.settings.alias_prefix, release.template, release.version)]
    properties = {
        **release.properties(),
        **packages_property(shop.build, finished.instance),
        **_cleaned(shop, finished.instance),
        **accounts_property(shop.build, finished.instance),
        BUILDER: me(),
    }
    if finished.packed:
        return shop.build.publish_packed(
            finished.instance,
            PACKED,
            aliases=aliases,
            properties=properties,
            on_progress=log.progress(),
        )
    return shop.build.publish(
        finished.instance,
        aliases=aliases,
        properties=properties,
        compression=shop.settings.compression,
        on_progress=log.progress(),
    )


def _cleaned(shop: Workshop, instance: str) -> Mapping[str, str]:
    found = shop.build.instance(instance)
    when = found.config.get(labels.CLEANED) if found else None
    return {CLEANED: when} if when else {}


def _judge(shop: Workshop, release: Release, image: Image, log: Log) -> Smoke:
    """What nvidia-smi's part came to; CheckError when any check failed."""
    log.phase("check")
    name = release.template
    checks = shop.catalog.checks(name)
    trial = Trial(
        template=name,
        image=image,
        needs=release.needs,
        checks=checks,
        given=given(shop, release),
        allowed=shop.catalog.allowed_secrets(name),
        allowed_special=shop.catalog.allowed_special(name),
    )
    verdicts = smoke(shop, trial, log)
    failed = [verdict for verdict in verdicts if verdict.failed]
    if failed:
        raise CheckError(
            f"{name}: the new image failed {len(failed)} of {len(verdicts)} checks; "
            "users keep the old one.",
            details="\n".join(f"{verdict.name}: {verdict.why}" for verdict in failed),
            fix=f"The full log: {log.path}\n"
            "Keep the instance for a look with: invoke build-images --keep-failed",
        )
    return gpu_outcome(checks, verdicts)


def _promote(shop: Workshop, release: Release, image: Image, outcome: Mapping[str, str]) -> None:
    """The one moment at which users get the new release."""
    others = published(shop.lxd, shop.settings.alias_prefix)
    turn = next_turn(one.image for one in others if one.release.template == release.template)
    shop.lxd.set_image_properties(image.fingerprint, {**outcome, **promoted_property(turn)})
    shop.lxd.set_alias(
        stable_alias(shop.settings.alias_prefix, release.template), image.fingerprint
    )
    shop.lxd.set_image_properties(image.fingerprint, {BUILDER: ""})


def _discard(shop: Workshop, release: Release, origin: str) -> None:
    """Remove an image that was not promoted; never one that a stable alias points at."""
    # Interrupted at publishing, only the client stopped: LXD goes on, and the image is yet to come.
    shop.build.wait_until_idle(origin)
    stable = stable_alias(shop.settings.alias_prefix, release.template)
    for image in shop.lxd.images():
        # One of the same name by another host, at the same moment, is not ours to remove. One that
        # was uploaded has no name before it has its alias.
        if image.properties.get(BUILDER) != me() or stable in image.aliases:
            continue
        made = Release.of(image)
        if made is not None and (made.template, made.version) == (
            release.template,
            release.version,
        ):
            remove_image(shop.lxd, image.fingerprint)
