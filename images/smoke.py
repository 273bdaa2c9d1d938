"""`smoke-images`: the releases that users get now, judged again on fresh instances.

What made them may have changed since: the host's kernel, its driver, LXD, the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from images.build_lock import build_lock
from images.checks.gpu import gpu_access
from images.checks.runner import smoke
from images.checks.trial import Trial
from images.checks.verdict import Verdict, gpu_outcome
from images.context import BuildContext, have_build_project, logged
from images.releases.cleanup import remove_leftovers
from images.releases.published import PublishedRelease, ReleaseState, published
from lab.allowed import objections
from lab.errors import CheckError, InputError
from lab.release import Release, Smoke, smoke_property

GONE = "its definition with the checks no longer exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One current release with what its checks said. No VERDICTS: its definition is gone."""

    template: str
    short: str
    version: str
    verdicts: tuple[Verdict, ...]
    seconds: float = 0
    log: Path | None = None

    @property
    def failed(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.failed)


def judge_current(context: BuildContext, only: Sequence[str] = ()) -> tuple[Judged, ...]:
    """Judge current releases, parents first; the outcome is written on each. Moves no alias."""
    with build_lock(context.settings, context.report, "smoke-images"):
        current = _current(context, only)
        have_build_project(context)
        remove_leftovers(context)
        return tuple(judge_release(context, one) for one in current)


def failure(judged: Sequence[Judged]) -> CheckError | None:
    """The error that names every failed check and the way back; None where all passed."""
    bad = [one for one in judged if one.failed]
    if not bad:
        return None
    return CheckError(
        f"{len(bad)} of {len(judged)} current releases failed their checks; users still get them."
        if len(judged) > 1
        else f"{bad[0].template} {bad[0].version} failed its checks; users still get it.",
        details="\n".join(
            f"{one.template}, {verdict.name}: {verdict.why}"
            for one in bad
            for verdict in one.failed
        ),
        fix="\n".join(
            line
            for one in bad
            for line in (
                f"Give users the previous release of {one.template}: invoke rollback {one.short}",
                f"Read the full log: {one.log}",
            )
        ),
    )


def _current(context: BuildContext, only: Sequence[str]) -> tuple[PublishedRelease, ...]:
    """The current releases of ONLY, else of all; InputError where there is none to judge."""
    found = {
        one.release.template: one
        for one in published(context.lxd, context.settings.alias_prefix)
        if one.state is ReleaseState.CURRENT
    }
    wanted = [definition.name for definition in context.catalog.released(only)]
    missing = [name for name in wanted if name not in found]
    if (only and missing) or not found:
        named = ", ".join(missing) if only else "any template"
        choice = f" --only {','.join(missing)}" if only else ""
        raise InputError(
            f"There is no current release of {named} to check.",
            fix=f"Build it: invoke build-images{choice}",
        )
    if not only:
        wanted += [name for name in found if name not in wanted]
    return tuple(found[name] for name in wanted if name in found)


def judge_release(context: BuildContext, one: PublishedRelease) -> Judged:
    """Judge one release, whichever it is; the caller holds the lock. Its outcome stays on it."""
    release = one.release
    judged = Judged(
        template=release.template, short=release.short, version=release.version, verdicts=()
    )
    if release.template not in context.catalog.definitions:
        return judged
    trial = Trial(
        template=release.template,
        image=one.image,
        # What containers of this release get, which the definition may have changed since.
        needs=release.needs,
        checks=context.catalog.checks(release.template),
        gpu_access=gpu_access(context, release),
        allowed=context.catalog.allowed_secrets(release.template),
        allowed_special=context.catalog.allowed_special(release.template),
    )
    with logged(context, release.template) as log:
        log.phase("check")
        # What asks for too much is not even booted.
        verdicts = _refusals(release) or smoke(context, trial, log)
        seconds = sum(seconds for _, seconds in log.timings())
        judged = replace(judged, verdicts=verdicts, seconds=seconds, log=log.path)
        outcome = Smoke.FAILED if judged.failed else Smoke.PASSED
        context.lxd.set_image_properties(
            one.image.fingerprint,
            smoke_property(outcome, gpu_outcome(trial.checks, verdicts)),
        )
        tell = context.report.failed if judged.failed else context.report.done
        tell(release.template, f"{release.version}: {_count(judged)}")
    return judged


def _refusals(release: Release) -> tuple[Verdict, ...]:
    found = objections(release.needs)
    return (Verdict(name="needs", passed=False, why="; ".join(found)),) if found else ()


def _count(judged: Judged) -> str:
    every = len(judged.verdicts)
    if judged.failed:
        return f"{len(judged.failed)} of {every} checks failed"
    skipped = [verdict for verdict in judged.verdicts if verdict.skipped]
    if skipped:
        why = "; ".join(f"{verdict.name}: {verdict.why}" for verdict in skipped)
        return f"{every - len(skipped)} of {every} checks passed, skipped {why}"
    return f"all {every} checks passed"
