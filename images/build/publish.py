"""From a finished root file system to what users get: publish, judge, move the alias."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timezone

from images.build.driver_layer import Finished
from images.build.packing import PACKED
from images.build.recipe import PIPELINE
from images.build.targets import Target
from images.build.user_accounts import refuse_without_room
from images.checks.gpu import gpu_access
from images.checks.runner import smoke
from images.checks.secrets import CLEANED
from images.checks.trial import Trial
from images.checks.verdict import gpu_outcome
from images.context import BuildContext, Log
from images.releases.accounts import accounts_property
from images.releases.compatibility import refuse_incompatible
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
    context: BuildContext, target: Target, finished: Finished, log: Log, *, smoke_test: bool
) -> tuple[Release, Image, Smoke]:
    """Publish what is FINISHED, judge the image, and only then give it to users."""
    release = _release(context, target)
    with ExitStack() as undo:
        undo.callback(_discard, context, release, finished.instance)
        refuse_without_room(context.build, finished.instance, release.template, release.needs)
        image = _publish(context, release, finished, log)
        outcome = gpu = Smoke.SKIPPED
        if smoke_test:
            outcome, gpu = Smoke.PASSED, _judge(context, release, image, log)
        refuse_incompatible(context.lxd, context.settings, release)
        _promote(context, release, image, smoke_property(outcome, gpu))
        undo.pop_all()
    return release, image, outcome


def _release(context: BuildContext, target: Target) -> Release:
    definition = target.definition
    prefix = f"{stable_alias(context.settings.alias_prefix, definition.name)}/"
    taken = [
        alias.removeprefix(prefix) for alias in context.lxd.aliases() if alias.startswith(prefix)
    ]
    # Containers outlive the releases they were made from.
    taken += [
        one.config.get(labels.VERSION, "")
        for one in context.lxd.instances()
        if one.config.get(labels.TEMPLATE) == definition.name
    ]
    now = datetime.now(tz=timezone.utc)
    return Release(
        template=definition.name,
        short=definition.short,
        version=next_version(taken, now),
        recipe=target.recipes.release.id,
        inputs=target.recipes.release.inputs,
        parent=definition.parent,
        distro=context.distro.name,
        driver=target.driver.version,
        built_at=now,
        commit=context.commit,
        pipeline=PIPELINE,
        needs=context.catalog.needs(definition.name),
    )


def _publish(context: BuildContext, release: Release, finished: Finished, log: Log) -> Image:
    log.phase("publish")
    aliases = [version_alias(context.settings.alias_prefix, release.template, release.version)]
    properties = {
        **release.properties(),
        **packages_property(context.build, finished.instance),
        **_cleaned(context, finished.instance),
        **accounts_property(context.build, finished.instance),
        BUILDER: me(),
    }
    if finished.packed:
        return context.build.publish_packed(
            finished.instance,
            PACKED,
            aliases=aliases,
            properties=properties,
            on_progress=log.progress(),
        )
    return context.build.publish(
        finished.instance,
        aliases=aliases,
        properties=properties,
        compression=context.settings.compression,
        on_progress=log.progress(),
    )


def _cleaned(context: BuildContext, instance: str) -> Mapping[str, str]:
    found = context.build.instance(instance)
    when = found.config.get(labels.CLEANED) if found else None
    return {CLEANED: when} if when else {}


def _judge(context: BuildContext, release: Release, image: Image, log: Log) -> Smoke:
    """What nvidia-smi's part came to; CheckError when any check failed."""
    log.phase("check")
    name = release.template
    checks = context.catalog.checks(name)
    trial = Trial(
        template=name,
        image=image,
        needs=release.needs,
        checks=checks,
        gpu_access=gpu_access(context, release),
        allowed=context.catalog.allowed_secrets(name),
        allowed_special=context.catalog.allowed_special(name),
    )
    verdicts = smoke(context, trial, log)
    failed = [verdict for verdict in verdicts if verdict.failed]
    if failed:
        raise CheckError(
            f"{name}: the new image failed {len(failed)} of {len(verdicts)} checks; "
            "users keep the old one.",
            details="\n".join(f"{verdict.name}: {verdict.why}" for verdict in failed),
            fix=f"Read the full log: {log.path}\n"
            "Keep the instance to inspect it: invoke build-images --keep-failed",
        )
    return gpu_outcome(checks, verdicts)


def _promote(
    context: BuildContext, release: Release, image: Image, outcome: Mapping[str, str]
) -> None:
    """The one moment at which users get the new release."""
    others = published(context.lxd, context.settings.alias_prefix)
    turn = next_turn(one.image for one in others if one.release.template == release.template)
    context.lxd.set_image_properties(image.fingerprint, {**outcome, **promoted_property(turn)})
    context.lxd.set_alias(
        stable_alias(context.settings.alias_prefix, release.template), image.fingerprint
    )
    context.lxd.set_image_properties(image.fingerprint, {BUILDER: ""})


def _discard(context: BuildContext, release: Release, origin: str) -> None:
    """Remove an image that was not promoted; never one that a stable alias points at."""
    # Interrupted at publishing, only the client stopped: LXD goes on, and the image is yet to come.
    context.build.wait_until_idle(origin)
    stable = stable_alias(context.settings.alias_prefix, release.template)
    for image in context.lxd.images():
        # One of the same name by another host, at the same moment, is not ours to remove. One that
        # was uploaded has no name before it has its alias.
        if image.properties.get(BUILDER) != me() or stable in image.aliases:
            continue
        made = Release.of(image)
        if made is not None and (made.template, made.version) == (
            release.template,
            release.version,
        ):
            remove_image(context.lxd, image.fingerprint)
