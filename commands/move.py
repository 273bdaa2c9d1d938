"""The command that moves a container to another server."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError
from lab.settings.settings import Settings


@command(
    help={
        "names": "The container; then the server: a name of `remotes:` in lab.yaml, or a URL.",
        "plan": "Show what would be done and what is not kept; change nothing.",
        "forget": "Remove what is kept here of a container that was moved.",
        "yes": "Do not ask.",
    },
    klass=TakesNames,
)
def move(
    _c: Context,
    names: list[str] | None = None,
    plan: bool = False,
    forget: bool = False,
    yes: bool = False,
) -> None:
    """Move a container to another server's LXD: home, snapshots, identity and limits go with it."""
    name, remote = _named(names or [], forget=forget)
    settings = read_settings()
    if forget:
        _forget(settings, name, remote, plan=plan, yes=yes)
        return
    from provision.move import move as moving
    from provision.move.remote import settings_of, told_of

    settings_there = settings_of(remote, settings)
    lxd = connect_to(settings)
    with told_of(remote):
        there = connect_to(settings_there)
    with console.reporter() as report:
        context = moving.MoveContext(
            lxd=lxd,
            there=there,
            settings=settings,
            settings_there=settings_there,
            remote=remote,
            report=report,
        )
        would = str(moving.plan(context, name))
    if plan:
        console.print_text(would)
        return
    if not yes and not console.ask(f"{would}\nContinue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    with console.reporter() as report:
        keep_quotas(settings, report)
        moving.move(moving.with_report(context, report), name)


def _forget(settings: Settings, name: str, remote: str, *, plan: bool, yes: bool) -> None:
    from provision.move import forget as forgetting
    from provision.move.remote import settings_of, told_of

    lxd = connect_to(settings)
    mark = forgetting.kept_mark(lxd, name)
    word = remote or (mark.remote if mark.remote in settings.remotes else mark.url)
    settings_there = settings_of(word, settings)
    with told_of(word):
        there = connect_to(settings_there)
    would = str(forgetting.plan_forget(lxd, there, name))
    if plan:
        console.print_text(would)
        return
    if not yes and not console.ask(f"{would}\nContinue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    with console.reporter() as report:
        keep_quotas(settings, report)
        forgetting.forget(lxd, there, settings, name, report)


def _named(names: list[str], *, forget: bool) -> tuple[str, str]:
    wanted = {1, 2} if forget else {2}
    if len(names) not in wanted:
        raise InputError(
            "move needs the name of a container, and the server that it goes to.",
            fix="Type: invoke move NAME SERVER, or: invoke move NAME --forget",
        )
    return names[0], names[1] if len(names) > 1 else ""
