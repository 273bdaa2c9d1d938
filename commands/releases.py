"""Commands about releases that are there already: which one users get, and keeping them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from commands.cli import build_context, command, connect_to, keep_quotas, read_settings
from lab import console

if TYPE_CHECKING:
    from images.releases.published import PublishedRelease

_TEMPLATE = "The template's name or short name."


@command(help={"template": _TEMPLATE, "version": "As `invoke images` shows it: 20261121.1."})
def promote(_c: Context, template: str, version: str) -> None:
    """Give users VERSION of TEMPLATE from now on."""
    from images.releases import promotion
    from images.releases.compatibility import refuse_incompatible
    from images.smoke_imported import judge_here

    def judge(imported: PublishedRelease) -> None:
        with build_context() as context:
            judge_here(context, imported)

    # Without the definitions, unless there is something to check: a broken one is no obstacle.
    settings = read_settings()
    lxd, prefix = connect_to(settings), settings.alias_prefix
    fits = partial(refuse_incompatible, lxd, settings)
    moved = promotion.promote(lxd, prefix, template, version, judge=judge, fits=fits)
    console.print_text(str(moved))


@command(help={"template": _TEMPLATE})
def rollback(_c: Context, template: str) -> None:
    """Give users the release of TEMPLATE again that was current before."""
    from images.releases import promotion
    from images.releases.compatibility import refuse_incompatible

    settings = read_settings()
    lxd, prefix = connect_to(settings), settings.alias_prefix
    moved = promotion.rollback(
        lxd, prefix, template, fits=partial(refuse_incompatible, lxd, settings)
    )
    console.print_text(str(moved))


@command(
    help={
        "keep": "How many of the newest releases of each template to keep. Default: 3.",
        "plan": "Show what would be removed and why; change nothing.",
    }
)
def prune_images(_c: Context, keep: str = "3", plan: bool = False) -> None:
    """Remove old releases: never the current one, never one that a container was made from."""
    from images.releases import prune
    from lab.sizes import format_size

    settings = read_settings()
    prefix, number = settings.alias_prefix, prune.parse_keep(keep)
    lxd = connect_to(settings)
    if plan:
        found = prune.plan_prune(lxd, prefix, number)
    else:
        with console.reporter() as report:
            keep_quotas(settings, report)
            found = prune.prune_alone(lxd, settings, number, report)
    for decision in found:
        console.print_text(str(decision))
    size = format_size(prune.freed(found))
    if not any(decision.remove for decision in found):
        console.print_text("Nothing to remove.")
    elif plan:
        console.print_text(f"This would free {size}, and the unpacked copies in the storage pool.")
    else:
        console.print_text(f"Freed {size}, and the unpacked copies in the storage pool.")


@command(
    positional=["template", "file"],
    help={
        "template": _TEMPLATE,
        "file": "Where to write it.",
        "version": "Version of the release. Default: the current one.",
        "force": "Overwrite FILE.",
    },
)
def export_image(
    _c: Context, template: str, file: str, version: str = "", force: bool = False
) -> None:
    """Write a release of TEMPLATE into one FILE, for another machine or as a backup."""
    from images.releases import exporting

    settings = read_settings()
    with console.reporter() as report:
        exporting.export_image(
            connect_to(settings),
            settings.alias_prefix,
            template,
            Path(file),
            report=report,
            version=version or None,
            force=force,
        )


@command(help={"file": "What `invoke export-image` wrote."})
def import_image(_c: Context, file: str) -> None:
    """Import the release in FILE into LXD, after every byte of it is checked."""
    from commands.views.releases import of_import
    from images.releases import importing
    from images.releases.compatibility import incompatibility

    settings = read_settings()
    with console.reporter() as report:
        lxd, prefix = connect_to(settings), settings.alias_prefix
        imported = importing.import_image(lxd, prefix, Path(file), report=report)
    reason = incompatibility(lxd, settings, imported.release)
    console.print_text(of_import(imported, reason))


@command(
    help={
        "template": _TEMPLATE,
        "old": "Default: the release that was current before.",
        "new": "Default: the current release.",
    },
)
def diff_images(_c: Context, template: str, old: str = "", new: str = "") -> None:
    """Show which packages were added, removed and upgraded between two releases."""
    from commands.views.releases import of_difference
    from images.releases import compare

    settings = read_settings()
    difference = compare.diff_images(
        connect_to(settings), settings.alias_prefix, template, old or None, new or None
    )
    for line in of_difference(difference):
        console.print_text(line)
