"""`build-images`: plan, build what changed side by side, and give to users what passed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial

from images.build.driver import in_words
from images.build.plan import Build, Decision, Keep, plan
from images.build.scheduler import Outcome, Step, side_by_side
from images.build.state import read_existing
from images.build.targets import Target, targets
from images.build.template_build import Built, TemplateBuild
from images.build_lock import build_lock
from images.context import BuildContext, have_build_project, logged
from images.placement import placed, pool_of
from images.releases.cleanup import has_leftovers, remove_kept_failures, remove_leftovers
from lab.errors import CapacityError, CheckError
from lab.lxd import loop_file
from lab.machine.host_size import host_memory
from lab.machine.local_daemon import lxd_directory
from lab.sizes import format_size

POOL_ROOM = 4 * 1024**3
"""Bytes that building one of the smaller templates takes in the pool, with its checks."""
STORE_ROOM = 2 * 1024**3
"""Bytes that packing an image takes where the daemon keeps images (canonical/lxd#3353)."""
MEMORY_PER_JOB = 2 * 1024**3
_BODIES_FIRST = 1000
"""More than any release costs: each body has a release and perhaps other bodies behind it."""


def plan_images(
    context: BuildContext, only: Sequence[str] = (), *, force: bool = False
) -> tuple[tuple[Target, ...], tuple[Decision, ...]]:
    """What `build_images` would do, parents first. Changes nothing."""
    selected = context.catalog.released(only)
    every = targets(context, selected)
    decisions = plan(
        [target.recipes for target in every],
        read_existing(context),
        selected=frozenset(one.name for one in selected),
        force=force,
    )
    return every, decisions


def deliveries(every: Iterable[Target]) -> tuple[str, ...]:
    """How the driver gets into what is built, and why so, for people."""
    return in_words(
        {one.definition.name: one.driver for one in every if not one.definition.abstract}
    )


def is_nothing(decisions: Iterable[Decision]) -> bool:
    return all(isinstance(decision, Keep) for decision in decisions)


def build_images(
    context: BuildContext,
    only: Sequence[str] = (),
    *,
    force: bool = False,
    smoke_test: bool = True,
    jobs: int | None = None,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[tuple[Decision, ...], tuple[Built, ...]]:
    """Build what changed. What passed is given to users, also when another template failed.

    AROUND is entered when there is something to do, and not before.
    """
    every, decisions = plan_images(context, only, force=force)
    if is_nothing(decisions) and not has_leftovers(context):
        return decisions, ()
    with around(), build_lock(context.settings, context.report, "build-images"):
        have_build_project(context)
        remove_leftovers(context)
        # The process that held the lock may have built it meanwhile.
        every, decisions = plan_images(context, only, force=force)
        builds = [decision for decision in decisions if isinstance(decision, Build)]
        remove_kept_failures(context, {decision.template for decision in builds})
        _check_room(context, len(builds))
        built = _build_all(
            context, every, builds, smoke_test=smoke_test, jobs=jobs or default_jobs()
        )
    return decisions, built


def default_jobs() -> int:
    """As many as there are cores, and 2 GiB of memory for each."""
    return max(1, min(os.cpu_count() or 1, host_memory() // MEMORY_PER_JOB))


def _build_all(
    context: BuildContext,
    every: Sequence[Target],
    builds: Sequence[Build],
    *,
    smoke_test: bool,
    jobs: int,
) -> tuple[Built, ...]:
    placed(context)  # without a pool or a network, that is said before minutes of work
    by_name = {target.definition.name: target for target in every}
    _prepare(context, [by_name[decision.template] for decision in builds])
    with ExitStack() as logs:
        works: list[TemplateBuild] = []
        steps: list[Step] = []
        for decision in builds:
            context.report.say(str(decision))
            log = logs.enter_context(logged(context, decision.template))
            work = TemplateBuild(context, by_name[decision.template], log)
            works.append(work)
            steps += _steps(work, decision, smoke_test=smoke_test)
        outcome = side_by_side(steps, jobs=jobs, stop=context.stop)
    _raise_errors(context, outcome, [work.name for work in works])
    return tuple(work.built for work in works if work.built is not None)


def _prepare(context: BuildContext, every: Sequence[Target]) -> None:
    """Say how drivers get into images, and fetch what that takes before anything is made."""
    for line in (*deliveries(every), *context.mirrors.remarks()):
        context.report.say(line)
    for userland in {target.driver.userland for target in every if target.driver.userland}:
        userland.prepare()


def _steps(work: TemplateBuild, decision: Build, *, smoke_test: bool) -> list[Step]:
    """A child's body needs its parent's body only: it need not wait for the parent's checks."""
    body = Step(
        name=f"body of {work.name}",
        do=work.body,
        after=frozenset({f"body of {work.parent}"}),
        cost=_BODIES_FIRST + work.cost,
    )
    release = Step(
        name=work.name,
        do=partial(work.release, smoke_test=smoke_test),
        after=frozenset({body.name}),
        cost=work.cost,
    )
    return [*([body] if decision.body else []), *([release] if decision.release else [])]


def _raise_errors(context: BuildContext, outcome: Outcome, names: Sequence[str]) -> None:
    for name in names:
        if f"body of {name}" in outcome.skipped:
            context.report.failed(name, "not built: its parent failed")
    errors = list(outcome.errors.values())
    if len(errors) == 1 or (errors and len({str(error) for error in errors}) == 1):
        raise errors[0]
    if errors:
        raise CheckError(
            f"{len(errors)} templates could not be built.",
            details="\n".join(str(error) for error in errors),
        )


def _check_room(context: BuildContext, builds: int) -> None:
    """Say before the first builder starts when pool or image store cannot hold what is to come."""
    if not builds:
        return
    pool = pool_of(context)
    free = pool.free_bytes if pool else None
    if pool is not None and free is not None and free < POOL_ROOM:
        raise CapacityError(
            f"The storage pool {pool.name} has {format_size(free)} free, "
            f"a build needs {format_size(POOL_ROOM)}.",
            details=loop_file.in_words(pool),
            fix=loop_file.way_out(pool)
            if pool.is_on_a_full_disk
            else "Remove old releases (invoke prune-images) and containers, or enlarge the pool "
            "(`lxc storage set POOL size=…` on LXD 5.1 and later).",
        )
    store = lxd_directory()
    if context.settings.is_local and (left := shutil.disk_usage(store).free) < STORE_ROOM:
        raise CapacityError(
            f"{store}, where LXD packs images, has {format_size(left)} free, "
            f"a build needs {format_size(STORE_ROOM)}.",
            fix="Free some space there, or give images a volume of their own: "
            "lxc config set storage.images_volume POOL/VOLUME",
        )
