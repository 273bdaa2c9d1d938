"""Commands about the lab as a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, names, read_settings, rebuild
from commands.variadic import TakesNames
from lab import console
from lab.errors import InputError
from lab.own_files import insist
from lab.places import ROOT
from lab.settings.settings import Settings, settings_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.lxd.port import Lxd
    from lab.report import Report
    from provision.create.provision import Provisioned
    from provision.create.request import Request
    from provision.lab_file.look import Plan
    from provision.lab_file.plan import Choice
    from provision.lab_file.wanted import Wanted


@command(
    help={
        "names": "The file. Default: containers.yaml beside lab.yaml.",
        "plan": "Show what would be changed; change nothing.",
        "prune": "Remove containers that the file does not have; their homes are kept.",
        "only": "Only these containers: --only ann,bob.",
        "replace": "Make the root of these containers again where the file has another template.",
        "set-back": "Set back what was changed outside of the file.",
        "keep": "Keep what was changed outside of the file, and do not report it again.",
        "yes": "Do not ask.",
        "json": "One JSON document on stdout.",
    },
    klass=TakesNames,
)
def apply(
    _c: Context,
    names: list[str] | None = None,
    plan: bool = False,
    prune: bool = False,
    only: str = "",
    replace: str = "",
    set_back: bool = False,
    keep: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Bring all containers to what containers.yaml says; what holds data is changed in place."""
    from commands.views import lab_file as view
    from lab.machine.lock import hold_lock
    from provision.lab_file.read import read_lab_file

    choice = _choice(prune=prune, only=only, replace=replace, set_back=set_back, keep=keep)
    settings = read_settings()
    path = _file(names)
    insist("reads", [path])
    every = read_lab_file(path, settings.shares)
    lxd = connect_to(settings)
    if plan:
        looked = _look(lxd, settings, every, choice)
        _print_plan(looked, json=json)
        if looked.drifted:
            built = ", ".join(looked.drifted)
            console.print_note(f"Releases do not fit the host's driver: {built}")
        return
    with console.reporter() as report:
        lock = hold_lock(f"apply-{settings.project}", report, "apply", remote=settings.remote)
    with lock:
        looked = _look(lxd, settings, every, choice)
        if looked.drifted:
            looked = _built(lxd, settings, every, choice, looked)
        if not json:
            _print_plan(looked, json=False)
        if looked.is_changed and not yes and not console.ask("Continue?"):
            raise InputError("Nothing was changed.", fix="Confirm with --yes.")
        documents: list[dict[str, Any]] = []
        try:
            if not looked.is_empty:
                _apply(lxd, settings, looked, documents, json=json)
        finally:
            # Also where some failed: passwords of the others are known to nobody else.
            if json:
                console.print_json(view.document(looked, documents))


@command(
    help={
        "names": "The file. Without it: on stdout.",
        "force": "Overwrite the file.",
    },
    klass=TakesNames,
)
def export_lab(_c: Context, names: list[str] | None = None, force: bool = False) -> None:
    """Write the containers that are there as a file, for which apply finds nothing to do."""
    from provision.lab_file.export import lab_text, write

    if len(names or ()) > 1:
        raise InputError("export-lab writes one file.", fix="Name one file.")
    settings = read_settings()
    text = lab_text(connect_to(settings), settings)
    if not names:
        console.print_verbatim(text)
        return
    path = Path(names[0]).expanduser()
    write(text, path, force=force)
    console.print_text(f"{path} was written. Next: invoke apply {path} --plan")


def _choice(*, prune: bool, only: str, replace: str, set_back: bool, keep: bool) -> Choice:
    from provision.lab_file.plan import Choice

    if set_back and keep:
        raise InputError("apply takes --set-back or --keep, not both.", fix="Give one of them.")
    return Choice(
        prune=prune, only=names(only), replace=names(replace), set_back=set_back, keep=keep
    )


def _file(named: list[str] | None) -> Path:
    from provision.lab_file.read import FILE

    if len(named or ()) > 1:
        raise InputError("apply reads one file.", fix="Name one file.")
    return Path(named[0]).expanduser() if named else settings_path(ROOT).parent / FILE


def _look(lxd: Lxd, settings: Settings, every: tuple[Wanted, ...], choice: Choice) -> Plan:
    from provision.lab_file.key_sources import with_keys
    from provision.lab_file.look import look

    wanted = [one for one in every if choice.is_about(one.name)]
    found, problems = with_keys(wanted, warn=console.print_note)
    there = {one.name: one for one in found}
    wanted = [there.get(one.name, one) for one in every]
    with console.reporter() as report:
        return look(lxd, settings, wanted, choice, report, problems=problems)


def _built(
    lxd: Lxd, settings: Settings, every: tuple[Wanted, ...], choice: Choice, looked: Plan
) -> Plan:
    """The plan, once the releases fit the host's driver."""
    templates = ",".join(looked.drifted)
    if settings.driver.on_drift == "refuse":
        raise InputError(
            f"Releases do not fit the host's driver: {templates}.",
            details="Nothing was changed.",
            fix=f"invoke build-images --only {templates}",
        )
    console.print_note(f"Releases do not fit the host's driver, and are built first: {templates}")
    rebuild(*looked.drifted)
    return _look(lxd, settings, every, choice)


def _print_plan(plan: Plan, *, json: bool) -> None:
    from commands.views import lab_file as view

    if json:
        console.print_json(view.document(plan))
        return
    for line in view.of_plan(plan):
        console.print_text(line)


def _apply(
    lxd: Lxd, settings: Settings, plan: Plan, documents: list[dict[str, Any]], *, json: bool
) -> None:
    """DOCUMENTS get what was made."""
    from commands.expiry import means as renewing
    from commands.network import explained
    from commands.views.containers import document
    from provision.expiry.renew import renew
    from provision.lab_file.apply import Means, apply, failure

    with console.reporter() as report:
        keep_quotas(settings, report)
        how = renewing(lxd, settings, report)

        def made(one: Provisioned) -> None:
            documents.append(document(one))
            if not json:
                _print_login(one)

        means = Means(
            lxd=lxd,
            settings=settings,
            report=report,
            stamp=_stamper(lxd, settings, report),
            renew=lambda name, renewal: renew(how, name, renewal),
            made=_one_by_one(made),
        )
        with explained(lxd, settings, report):
            failed = failure(apply(means, plan))
            if failed is not None:
                raise failed


def _stamper(lxd: Lxd, settings: Settings, report: Report) -> Callable[[Request], Provisioned]:
    from provision.create.provision import provision

    return lambda request: provision(lxd, settings, request, report)


def _one_by_one(tell: Callable[[Provisioned], None]) -> Callable[[Provisioned], None]:
    lock = threading.Lock()

    def told(one: Provisioned) -> None:
        with lock:
            tell(one)

    return told


def _print_login(one: Provisioned) -> None:
    """At once: a run that is killed later takes no password with it."""
    if one.summary is None:
        return
    access = one.summary["access"]
    password = f"  password {one.password} (shown this once)" if one.password else ""
    console.print_text(f"{one.summary['name']}: {access['ssh'] or 'no address'}{password}")
