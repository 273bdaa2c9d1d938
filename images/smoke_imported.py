"""The checks of a release that was imported: it passed elsewhere, and has yet to pass here."""

from __future__ import annotations

from images.build_lock import build_lock
from images.context import BuildContext, have_build_project
from images.releases.published import PublishedRelease
from images.smoke import GONE, judge_release
from lab.errors import CheckError, InputError


def judge_here(context: BuildContext, one: PublishedRelease) -> None:
    """Run the checks that its template has here; their outcome is written on the release."""
    # Builds name their check instances alike.
    with build_lock(context.settings, context.report, f"checks of {one.name}"):
        have_build_project(context)
        judged = judge_release(context, one)
    if not judged.verdicts:
        raise InputError(
            f"{one.name} cannot be checked on this machine: {GONE}.",
            fix="Copy images/definitions/ from the machine where the release was exported.",
        )
    if judged.failed:
        raise CheckError(
            f"{one.name} failed {len(judged.failed)} of {len(judged.verdicts)} checks on this "
            "machine; users keep the release they have.",
            details="\n".join(f"{verdict.name}: {verdict.why}" for verdict in judged.failed),
            fix=f"Read the full log: {judged.log}",
        )
