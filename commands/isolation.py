"""The command that gives containers of earlier versions ids of their own."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError


@command(
    help={
        "names": "The containers.",
        "all": "All containers that share ids.",
        "plan": "Show what would be done; change nothing.",
        "yes": "Do not ask.",
    },
    klass=TakesNames,
)
def isolate(
    _c: Context,
    names: list[str] | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    plan: bool = False,
    yes: bool = False,
) -> None:
    """Give containers ids of their own: restart each one, and roll back where that fails."""
    from provision.isolation import isolate as isolation

    if bool(names) == all:
        raise InputError(
            "Name the containers, or give --all.",
            fix="List the containers that share ids: invoke host.check",
        )
    settings = read_settings()
    lxd = connect_to(settings)
    actions = isolation.plan_isolation(lxd, names or [])
    told = "\n".join(map(str, actions))
    if plan or not actions:
        console.print_text(told or "Each container has ids of its own; nothing to do.")
        return
    if not yes and not console.ask(f"{told}\nThe containers are restarted one by one. Continue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    with console.reporter() as report:
        keep_quotas(settings, report)
        outcome = isolation.isolate(lxd, settings, actions, report)
    for left in outcome.left:
        console.print_text(str(left))
    failed = isolation.failure(outcome)
    if failed is not None:
        raise failed
