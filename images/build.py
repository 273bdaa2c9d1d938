"""`build-images`: plan, build what changed, publish, judge, and only then move the alias."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone

from images.body import body_name, make_body
from images.held import held
from images.placing import pool_of
from images.plan import Build, Decision, Keep, plan
from images.recipe import PIPELINE
from images.smoke import Trial, smoke
from images.sweep import BUILDER, is_littered, sweep
from images.wanted import Order, orders
from images.workshop import PROJECT_CONFIG, Log, Workshop, logged
from lab import lock
from lab.errors import CapacityError, CheckError, LabError
from lab.lxd.model import Image
from lab.process import me
from lab.release import Release, Smoke, next_version, smoke_property, stable_alias, version_alias
from lab.sizes import format_size

ROOM_NEEDED = 4 * 1024**3
"""Bytes a build of the smallest templates takes in the pool, with their checks."""


def plan_images(
    shop: Workshop, only: Sequence[str] = (), *, force: bool = False
) -> tuple[tuple[Order, ...], tuple[Decision, ...]]:
    """What `build_images` would do, parents first. Changes nothing."""
    selected = shop.catalog.order(only)
    every = orders(shop, selected)
    decisions = plan(
        [order.wanted for order in every],
        held(shop),
        selected=frozenset(one.name for one in selected),
        force=force,
    )
    return every, decisions


def is_nothing(decisions: Sequence[Decision]) -> bool:
    return all(isinstance(decision, Keep) for decision in decisions)


def build_images(
    shop: Workshop, only: Sequence[str] = (), *, force: bool = False, smoke_test: bool = True
) -> tuple[Decision, ...]:
    """Build what changed. Stops at the first failure; what was promoted before it stays."""
    every, decisions = plan_images(shop, only, force=force)
    if is_nothing(decisions) and not is_littered(shop):
        return decisions
    with lock.held(f"build-{shop.build.project}", shop.report, "build-images"):
        _open_project(shop)
        sweep(shop)
        # Whoever held the lock may have built it meanwhile.
        every, decisions = plan_images(shop, only, force=force)
        by_name = {order.definition.name: order for order in every}
        _check_room(shop, decisions)
        for decision in decisions:
            if isinstance(decision, Build):
                _build(shop, by_name[decision.template], decision, smoke_test=smoke_test)
    return decisions


def _build(shop: Workshop, order: Order, decision: Build, *, smoke_test: bool) -> None:
    name = order.definition.name
    shop.report.say(str(decision))
    with logged(shop, name) as log:
        try:
            if decision.body:
                wanted = order.wanted
                make_body(shop, order.definition, wanted.body, order.user_data, log)
            release = _release(shop, order)
            with ExitStack() as undo:
                undo.callback(_discard, shop, release)
                image = _publish(shop, release, log)
                outcome = _judge(shop, order, image, log) if smoke_test else Smoke.SKIPPED
                _promote(shop, release, image, outcome)
                undo.pop_all()
        except LabError as error:
            log.write(f"\n{error}\n")
            shop.report.failed(name, error.brief.removeprefix(f"{name}: "))
            raise
        except KeyboardInterrupt:
            shop.report.failed(name, "interrupted; what was half made is removed")
            raise
        shop.report.done(
            name, f"{release.version} is current, {format_size(image.size_bytes)}, {outcome.value}"
        )


def _release(shop: Workshop, order: Order) -> Release:
    definition = order.definition
    prefix = f"{stable_alias(shop.settings.alias_prefix, definition.name)}/"
    taken = [alias.removeprefix(prefix) for alias in shop.lxd.aliases() if alias.startswith(prefix)]
    now = datetime.now(tz=timezone.utc)
    return Release(
        template=definition.name,
        short=definition.short,
        version=next_version(taken, now),
        recipe=order.wanted.release.id,
        inputs=order.wanted.release.inputs,
        parent=definition.parent,
        distro=shop.distro.name,
        driver=None,
        built_at=now,
        commit=shop.commit,
        pipeline=PIPELINE,
        needs=shop.catalog.needs(definition.name),
    )


def _publish(shop: Workshop, release: Release, log: Log) -> Image:
    log.phase("publish")
    alias = version_alias(shop.settings.alias_prefix, release.template, release.version)
    return shop.build.publish(
        body_name(release.template),
        aliases=[alias],
        properties={**release.properties(), BUILDER: me()},
        compression=shop.settings.compression,
        on_progress=log.progress(),
    )


def _judge(shop: Workshop, order: Order, image: Image, log: Log) -> Smoke:
    log.phase("check")
    name = order.definition.name
    trial = Trial(
        template=name,
        image=image,
        needs=shop.catalog.needs(name),
        checks=shop.catalog.checks(name),
    )
    verdicts = smoke(shop, trial, log)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if failed:
        raise CheckError(
            f"{name}: the new image failed {len(failed)} of {len(verdicts)} checks; "
            "users keep the old one.",
            details="\n".join(f"{verdict.name}: {verdict.why}" for verdict in failed),
            fix=f"The full log: {log.path}\n"
            "Keep the instance for a look with: invoke build-images --keep-failed",
        )
    return Smoke.PASSED


def _promote(shop: Workshop, release: Release, image: Image, outcome: Smoke) -> None:
    """The one moment at which users get the new release."""
    shop.lxd.set_image_properties(image.fingerprint, smoke_property(outcome))
    shop.lxd.set_alias(
        stable_alias(shop.settings.alias_prefix, release.template), image.fingerprint
    )
    shop.lxd.set_image_properties(image.fingerprint, {BUILDER: ""})


def _discard(shop: Workshop, release: Release) -> None:
    """Remove an image that was not promoted; never one that a stable alias points at."""
    # Interrupted at publishing, only the client stopped: LXD goes on, and the image is yet to come.
    shop.build.wait_until_idle(body_name(release.template))
    prefix, aliases = shop.settings.alias_prefix, shop.lxd.aliases()
    made = aliases.get(version_alias(prefix, release.template, release.version))
    if made is None or made == aliases.get(stable_alias(prefix, release.template)):
        return
    image = shop.lxd.image(made)
    # Of another host that had the same idea at the same moment, it is not ours to remove.
    if image is not None and image.properties.get(BUILDER) == me():
        shop.lxd.delete_image(made)


def _open_project(shop: Workshop) -> None:
    if shop.build.project not in shop.lxd.projects():
        shop.lxd.create_project(shop.build.project, PROJECT_CONFIG)


def _check_room(shop: Workshop, decisions: Sequence[Decision]) -> None:
    """Say before the first builder starts when the pool cannot hold what is to be built."""
    if is_nothing(decisions):
        return
    pool = pool_of(shop)
    free = pool.free_bytes if pool else None
    if pool is not None and free is not None and free < ROOM_NEEDED:
        raise CapacityError(
            f"The storage pool {pool.name} has {format_size(free)} free, "
            f"a build needs {format_size(ROOM_NEEDED)}.",
            fix="Remove old releases and containers, or enlarge the pool "
            "(`lxc storage set POOL size=…` on LXD 5.1 and later).",
        )
