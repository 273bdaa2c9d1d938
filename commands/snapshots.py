"""Commands about snapshots of users' containers and homes."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, count, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError


@command(help={"names": "The container; then, if you like, a name for it."}, klass=TakesNames)
def snapshot(_c: Context, names: list[str] | None = None) -> None:
    """Take a snapshot NAME [LABEL] of a container and its home, while it runs."""
    from provision.snapshots import take

    name, label = _named(names or [])
    settings = read_settings()
    with console.reporter() as report:
        keep_quotas(settings, report)
        taken = take.take(connect_to(settings), settings, name, label, report)
    console.print_text(f"To go back to it: invoke restore {name} {taken}")


@command(help={"name": "The container.", "json": "One JSON document on stdout."})
def snapshots(_c: Context, name: str, json: bool = False) -> None:
    """List the snapshots of a container and its home."""
    from commands.views import snapshots as view
    from provision.snapshots import listing

    settings = read_settings()
    document = listing.snapshots(connect_to(settings), settings, name)
    if json:
        console.print_json(document)
        return
    console.print_table(
        "",
        view.COLUMNS,
        [view.row(one) for one in document["snapshots"]],
        empty=f"{name} has no snapshots. Take one: invoke snapshot {name}",
    )
    console.print_text(view.schedule(document))


@command(
    help={
        "name": "The container.",
        "snapshot": "The snapshot, as `invoke snapshots NAME` lists it.",
        "root": "Restore the root alone.",
        "home": "Restore /home alone.",
        "file": "Copy one file or directory of /home beside that of today; nothing else changes.",
        "plan": "Show what would be done; change nothing.",
        "yes": "Do not ask.",
    }
)
def restore(
    _c: Context,
    name: str,
    snapshot: str,
    root: bool = False,
    home: bool = False,
    file: str = "",
    plan: bool = False,
    yes: bool = False,
) -> None:
    """Bring files back from a snapshot. GPUs, limits, ports and keys stay as they are."""
    from provision.restoring import Half
    from provision.snapshots import restore as restoring

    if file:
        _take_out(name, snapshot, file, alone=not (root or home or plan))
        return
    halves = [half for half, given in ((Half.HOME, home), (Half.ROOT, root)) if given]
    settings = read_settings()
    lxd = connect_to(settings)
    would = restoring.plan_restore(lxd, name, snapshot, halves=halves)
    if plan:
        console.print_text(str(would))
        return
    if not yes and not console.ask(f"{would}\nContinue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    with console.reporter() as report:
        keep_quotas(settings, report)
        restoring.restore(lxd, settings, name, snapshot, report, halves=halves)


@command(
    help={
        "name": "The container.",
        "snapshot": "The snapshot, as `invoke snapshots NAME` lists it.",
    }
)
def remove_snapshot(_c: Context, name: str, snapshot: str) -> None:
    """Remove a snapshot of a container and its home."""
    from provision.snapshots import take

    settings = read_settings()
    with console.reporter() as report:
        keep_quotas(settings, report)
        take.remove(connect_to(settings), settings, name, snapshot, report)


@command(
    help={
        "name": "The container.",
        "every": "hour, day, week, never, or lab for what the lab's settings say.",
        "keep": "How many of those that were taken by themselves stay.",
    }
)
def schedule_snapshots(_c: Context, name: str, every: str = "", keep: str = "") -> None:
    """Set how often snapshots of one container are taken by themselves."""
    from provision.snapshots import run
    from provision.snapshots.schedule import own_schedule

    if not every:
        raise InputError(
            "schedule-snapshots needs --every.",
            fix=f"Type: invoke schedule-snapshots {name} --every day",
        )
    settings = read_settings()
    lab = every == "lab"
    own = None if lab else own_schedule(every, count("keep", keep), settings.snapshots)
    with console.reporter() as report:
        has = run.set_schedule(connect_to(settings), settings, name, own, report)
    console.print_text(f"{name}: {has} (set by: {has.origin.value}).")


def _take_out(name: str, snapshot: str, file: str, *, alone: bool) -> None:
    from provision.snapshots import files

    if not alone:
        raise InputError(
            "--file goes with no other option of restore.",
            fix="Leave out --root, --home and --plan: --file overwrites nothing.",
        )
    settings = read_settings()
    lxd = connect_to(settings)
    with console.reporter() as report:
        place = files.take_out(lxd, settings, name, snapshot, report, path=file)
    console.print_text(place)


def _named(names: list[str]) -> tuple[str, str | None]:
    if len(names) not in {1, 2}:
        raise InputError(
            "snapshot needs the name of a container.",
            fix="Type: invoke snapshot NAME, or: invoke snapshot NAME LABEL",
        )
    return names[0], names[1] if len(names) > 1 else None
