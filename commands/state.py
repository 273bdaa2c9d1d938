"""Commands about all that labstamp keeps in LXD, as one file."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from commands.cli import command, connect_to, count, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError


@command(
    help={
        "names": "The file, or a directory. Without it: a new file in /var/lib/labstamp/states.",
        "keep": "In a directory: how many files of this lab stay (30).",
        "json": "The same as one JSON document on stdout; no file is written.",
    },
    klass=TakesNames,
)
def export_state(
    _c: Context, names: list[str] | None = None, keep: str = "", json: bool = False
) -> None:
    """Write all keys and marks of the lab into one file, from which import-state puts them back."""
    from provision.lab_state import export_state as exporting
    from provision.lab_state.gather import gather

    if len(names or ()) > 1:
        raise InputError("export-state writes one file.", fix="Name one file, or one directory.")
    if json and (names or keep):
        raise InputError(
            "--json goes with no file.", fix="Redirect it: invoke export-state --json >FILE"
        )
    settings = read_settings()
    kept = count("keep", keep)
    if kept == 0:
        raise InputError("--keep 0: expected a number from 1.")
    state = gather(connect_to(settings), settings)
    if json:
        console.print_json(state.model_dump(mode="json", by_alias=True))
        return
    path, removed = exporting.write(
        state, Path(names[0]).expanduser() if names else None, keep=kept or exporting.KEEP
    )
    console.print_text(
        f"{path}: {len(state.instances)} containers and kept roots, {len(state.volumes)} volumes"
    )
    if removed:
        console.print_text(f"{len(removed)} older files removed")


@command(
    positional=["file"],
    help={
        "file": "The file that export-state wrote.",
        "plan": "Show what would be done; change nothing.",
        "yes": "Do not ask.",
        "from-file": "Where a container differs and LXD's own record is newer, take the file's.",
        "moved": "The pools of the server that the file names are in this server now.",
    },
)
def import_state(
    _c: Context,
    file: str,
    plan: bool = False,
    yes: bool = False,
    from_file: bool = False,
    moved: bool = False,
) -> None:
    """Put a lab together again from such a file and the pool, after LXD lost its database."""
    from provision.lab_state import import_state as importing

    settings = read_settings()
    lxd = connect_to(settings)
    state = importing.open_file(lxd, settings, Path(file).expanduser(), moved=moved)
    would = importing.plan_now(lxd, settings, state, from_file=from_file)
    for one in (*would.actions, *would.told) if plan or not yes else ():
        console.print_text(str(one))
    if not would.actions:
        if yes:
            for one in would.told:
                console.print_text(str(one))
        console.print_text("LXD has all that can be put back from this file; nothing to do.")
        return
    if plan:
        return
    if not yes and not console.ask("Continue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    with console.reporter() as report:
        done = importing.import_state(
            lxd,
            settings,
            state,
            report,
            from_file=from_file,
            before_changes=lambda: keep_quotas(settings, report),
        )
    for one in done.told:
        console.print_text(str(one))
    console.print_text("Next: invoke list; then start the containers: invoke start NAME")
