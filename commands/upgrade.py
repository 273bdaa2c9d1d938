"""The command that gives containers a new root."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError


@command(
    help={
        "names": "The containers.",
        "all": "All containers; each to the current release of its template.",
        "template": "With --all: only the containers of this template.",
        "to": "Version to upgrade to. Default: the current release.",
        "plan": "Show what would be done and what is not kept; change nothing.",
        "reinstall": "Install the packages that the user added to the earlier root.",
        "back": "Return to the kept root; the present root is kept in its place.",
        "forget": "Remove the kept root. With --all: only those that are kept long enough.",
        "yes": "Do not ask.",
    },
    klass=TakesNames,
)
def upgrade(
    _c: Context,
    names: list[str] | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    template: str = "",
    to: str = "",
    plan: bool = False,
    reinstall: bool = False,
    back: bool = False,
    forget: bool = False,
    yes: bool = False,
) -> None:
    """Give containers the root of a newer release: home, identity and limits are kept."""
    from provision.upgrade import apply
    from provision.upgrade import upgrade as upgrading
    from provision.upgrade.plan import Wish
    from provision.upgrade.root_file import reader

    _refuse_senseless(
        names or [],
        everyone=all,
        template=template,
        to=to,
        reinstall=reinstall,
        back=back,
        forget=forget,
    )
    settings = read_settings()
    lxd = connect_to(settings)
    wanted = upgrading.every_name(lxd, template or None) if all else tuple(names or ())
    wish = Wish(to=to or None, back=back, forget=forget, only_expired=all, reinstall=reinstall)
    actions = upgrading.plan_upgrade(lxd, settings, wanted, wish, insist=not all)
    told = "\n".join(map(str, actions))
    if plan or not actions:
        console.print_text(told or _nothing(wish.forget, wish.to))
        return
    asks = all or forget
    if asks and not yes and not console.ask(f"{told}\nContinue?"):
        raise InputError("Nothing was changed.", fix="Confirm with --yes.")
    if not asks:
        console.print_text(told)
    with console.reporter() as report:
        keep_quotas(settings, report)
        context = apply.UpgradeContext(
            lxd=lxd, report=report, remote=settings.remote, read_file=reader(settings)
        )
        outcome = upgrading.upgrade(context, settings, actions, wish)
    for left in outcome.left:
        console.print_text(str(left))
    failed = upgrading.failure(outcome)
    if failed is not None:
        raise failed


def _refuse_senseless(
    names: list[str],
    *,
    everyone: bool,
    template: str,
    to: str,
    reinstall: bool,
    back: bool,
    forget: bool,
) -> None:
    if bool(names) == everyone:
        raise InputError(
            "Name the containers, or give --all.", fix="List the containers: invoke list"
        )
    if template and not everyone:
        raise InputError("--template needs --all.", fix="Name the containers, or add --all.")
    if sum(map(bool, (to or reinstall, back, forget))) > 1:
        raise InputError(
            "--back, --forget, and --to with --reinstall exclude each other.",
            fix="Give only one of them.",
        )
    if back and everyone:
        raise InputError(
            "--back needs the names of the containers.", fix="Name them: invoke upgrade NAME --back"
        )


def _nothing(forget: bool, version: str | None) -> str:
    if forget:
        return "There is no kept root to remove; nothing to do."
    return f"Each container has the release {version or 'that users get'}; nothing to do."
