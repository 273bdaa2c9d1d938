"""Commands about directories that several containers have in common."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError


@command(
    help={
        "names": "The container, then the shares that it gets.",
        "plan": "Show what would be done; change nothing.",
    },
    klass=TakesNames,
)
def share(_c: Context, names: list[str] | None = None, plan: bool = False) -> None:
    """Give a container shares of lab.yaml while it runs: invoke share NAME SHARE."""
    from provision.shares import share as sharing

    name, wanted = _split("share", names)
    settings = read_settings()
    with console.reporter() as report:
        actions = sharing.share(
            connect_to(settings), settings, name, wanted, report, only_plan=plan
        )
    for action in actions:
        console.print_text(str(action))
    if not actions:
        console.print_text(f"{name} already has these shares; nothing to do.")


@command(
    help={
        "names": "The container, then the shares that it loses.",
        "plan": "Show what would be done; change nothing.",
    },
    klass=TakesNames,
)
def unshare(_c: Context, names: list[str] | None = None, plan: bool = False) -> None:
    """Take shares from a container while it runs: invoke unshare NAME SHARE."""
    from provision.shares import share as sharing

    name, wanted = _split("unshare", names)
    settings = read_settings()
    with console.reporter() as report:
        actions = sharing.unshare(
            connect_to(settings), settings, name, wanted, report, only_plan=plan
        )
    for action in actions:
        console.print_text(str(action))
    if not actions:
        console.print_text(f"{name} has none of these shares; nothing to do.")


@command(help={"json": "One JSON document on stdout."}, name="shares")
def list_shares(_c: Context, json: bool = False) -> None:
    """Show the shares of lab.yaml, and the containers that have them."""
    from commands.views import shares as view
    from provision.shares import listing

    settings = read_settings()
    found = listing.list_shares(connect_to(settings), settings)
    if json:
        console.print_json({"shares": found})
        return
    console.print_table("", view.COLUMNS, map(view.row, found), empty=view.NONE)


def _split(command: str, names: list[str] | None) -> tuple[str, list[str]]:
    if not names or len(names) < 2:
        raise InputError(
            f"{command} needs the name of a container and of a share.",
            fix=f"Write it as: invoke {command} NAME SHARE\nList the shares: invoke shares",
        )
    return names[0], names[1:]
