"""Commands about backups of users' containers and homes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError
from lab.settings.settings import Settings

if TYPE_CHECKING:
    from provision.backup.stores import Store
    from provision.restoring import Half


@command(
    help={
        "names": "The containers.",
        "all": "All containers.",
        "to": "The directory for backups. Default: `backup: {to: …}` in lab.yaml.",
    },
    klass=TakesNames,
)
def backup(
    _c: Context,
    names: list[str] | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    to: str = "",
) -> None:
    """Back up root, home and wish of containers, while they run."""
    from provision.backup import run
    from provision.backup.stores import store_of

    settings = read_settings()
    store = store_of(settings, to)
    _as_root("backup")
    lxd = connect_to(settings)
    wanted = _wanted("backup", names or [], run.everybody(lxd) if all else None)
    with console.reporter() as report:
        keep_quotas(settings, report)
        outcome = run.back_up_all(lxd, settings, wanted, store, report)
    if failed := run.failure_of(outcome, "made"):
        raise failed


@command(
    help={
        "names": "The container, also one that was removed. Default: all.",
        "from": "The directory of the backups. Default: `backup: {to: …}` in lab.yaml.",
        "json": "One JSON document on stdout.",
    },
    klass=TakesNames,
)
def backups(
    _c: Context, names: list[str] | None = None, from_: str = "", json: bool = False
) -> None:
    """List the backups of one container, or of all."""
    from commands.views import backups as view
    from provision.backup import listing

    if len(names or []) > 1:
        raise InputError("backups takes one name at most.", fix="Type: invoke backups NAME")
    name = names[0] if names else None
    store = _store(read_settings(), from_)
    _as_root("backups")
    document = listing.backups(store, name)
    if json:
        console.print_json({"backups": document})
        return
    whose = f"{name} has" if name else "There are"
    console.print_table(
        "",
        view.COLUMNS,
        [view.row(one) for one in document],
        empty=f"{whose} no backups in {store.place}. Make one: invoke backup {name or 'NAME'}",
    )


@command(
    help={
        "names": "The container; then, if you like, which backup (default: the newest good one).",
        "from": "The directory of the backups. Default: `backup: {to: …}` in lab.yaml.",
        "root": "Restore the root alone, with the home that was kept.",
        "home": "Restore the home alone, and no container.",
        "gpus": "As for `provision`. Default: as many as it had.",
        "plan": "Show what would be done; change nothing.",
        "yes": "Do not ask.",
    },
    klass=TakesNames,
)
def restore_backup(
    _c: Context,
    names: list[str] | None = None,
    from_: str = "",
    root: bool = False,
    home: bool = False,
    gpus: str = "",
    plan: bool = False,
    yes: bool = False,
) -> None:
    """Make a container again from its backup: files, ids, keys, limits, devices."""
    from lab.gpu_selection import parse_selection
    from provision.backup import restore
    from provision.backup.stores import at_hand

    name, wanted = _named(names or [])
    only = _half(root=root, home=home)
    settings = read_settings()
    store = _store(settings, from_)
    _as_root("restore-backup")
    lxd = connect_to(settings)
    wish = parse_selection(gpus) if gpus else None
    with ExitStack() as kept:
        with console.reporter() as report:
            directory, backup = kept.enter_context(at_hand(store, settings, name, wanted, report))
        would = restore.plan_restore(lxd, settings, backup, only=only, gpus=wish)
        if plan:
            console.print_text(str(would))
            return
        if not yes and not console.ask(f"{would}\nContinue?"):
            raise InputError("Nothing was changed.", fix="Confirm with --yes.")
        with console.reporter() as report:
            keep_quotas(settings, report)
            restore.restore_backup(lxd, settings, backup, directory, report, only=only, gpus=wish)


@command(
    help={
        "names": "The containers whose newest backup is checked.",
        "all": "All that have a backup.",
        "from": "The directory of the backups. Default: `backup: {to: …}` in lab.yaml.",
        "backup": "This one, of a single container.",
    },
    klass=TakesNames,
)
def verify_backup(
    _c: Context,
    names: list[str] | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    from_: str = "",
    backup: str = "",
) -> None:
    """Restore backups where nobody reaches them, boot them, and compare each file."""
    from provision.backup import run

    settings = read_settings()
    store = _store(settings, from_)
    _as_root("verify-backup")
    wanted = _wanted("verify-backup", names or [], store.names() if all else None)
    if backup and len(wanted) != 1:
        raise InputError("--backup goes with one name.")
    lxd = connect_to(settings)
    with console.reporter() as report:
        keep_quotas(settings, report)
        if backup:
            run.verify_one(lxd, settings, wanted[0], store, report, wanted=backup)
            return
        outcome = run.verify_all(lxd, settings, wanted, store, report)
    if failed := run.failure_of(outcome, "verified"):
        raise failed


def _store(settings: Settings, place: str) -> Store:
    from provision.backup.stores import store_of

    return store_of(settings, place)


def _as_root(name: str) -> None:
    from commands.cli import this_machine

    this_machine().require_root(f"sudo .venv/bin/invoke {name} …")


def _wanted(command_name: str, names: Sequence[str], every: Sequence[str] | None) -> list[str]:
    if every is not None and names:
        raise InputError("Name containers, or say --all, not both.")
    if every is None and not names:
        raise InputError(
            f"{command_name} needs the name of a container, or --all.",
            fix=f"Type: invoke {command_name} NAME",
        )
    return list(dict.fromkeys(every if every is not None else names))


def _named(names: Sequence[str]) -> tuple[str, str | None]:
    if len(names) not in {1, 2}:
        raise InputError(
            "restore-backup needs the name of a container.",
            fix="Type: invoke restore-backup NAME, or: invoke restore-backup NAME BACKUP",
        )
    return names[0], names[1] if len(names) > 1 else None


def _half(*, root: bool, home: bool) -> Half | None:
    from provision.restoring import Half

    if root and home:
        raise InputError(
            "--root and --home exclude each other.", fix="Leave both out to restore both."
        )
    return Half.ROOT if root else Half.HOME if home else None
