"""Commands that change a container which exists."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, count, keep_quotas, read_settings, size
from lab import console


@command(
    help={
        "name": "The container.",
        "cpus": "How many CPUs it may use.",
        "memory": "How much memory: 16GiB.",
        "disk": "Quota of its root: 50GiB.",
        "home": "Quota of its /home: 100GiB.",
        "processes": "How many processes it may have.",
        "plan": "Show what would be changed; change nothing.",
    }
)
def resize(
    _c: Context,
    name: str,
    cpus: str = "",
    memory: str = "",
    disk: str = "",
    home: str = "",
    processes: str = "",
    plan: bool = False,
) -> None:
    """Change the limits and quotas of a container while it runs."""
    from provision.resize import resize as resizing
    from provision.resize.sizes import Sizes

    sizes = Sizes(
        cpus=count("cpus", cpus),
        memory=size("memory", memory),
        disk=size("disk", disk),
        home=size("home", home),
        processes=count("processes", processes),
    )
    settings = read_settings()
    with console.reporter() as report:
        if not plan:
            keep_quotas(settings, report)
        changes = resizing.resize(
            connect_to(settings), settings, name, sizes, report, only_plan=plan
        )
    for change in changes:
        console.print_text(str(change))
    if not changes:
        console.print_text(f"{name} already is as requested; nothing to do.")


@command(
    help={
        "name": "The container.",
        "new": "The name that it is to have.",
        "plan": "Show what would be done; change nothing.",
    }
)
def rename(_c: Context, name: str, new: str, plan: bool = False) -> None:
    """Give a container another name: it is stopped for it, and started again."""
    from lab.names import check_instance_name
    from provision.rename import rename as renaming

    check_instance_name(new)
    settings = read_settings()
    with console.reporter() as report:
        renamed = renaming.rename(connect_to(settings), settings, name, new, report, only_plan=plan)
    if not renamed.steps:
        console.print_text(f"{name} already has the name {new}; nothing to do.")
    elif plan:
        for step in renamed.steps:
            console.print_text(step)
