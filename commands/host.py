"""Commands about the machine."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings, this_machine
from lab import console
from lab.errors import InputError


@command(help={"json": "One JSON document on stdout."})
def gpus(_c: Context, json: bool = False) -> None:
    """Show NVIDIA's GPUs and the containers that use them."""
    from commands.views import gpus as view
    from host import gpus as host_gpus

    settings = read_settings()
    found = host_gpus.gpus(connect_to(settings), settings)
    if json:
        console.print_json({"cards": found})
        return
    console.print_table("", view.COLUMNS, view.rows(found), empty=view.NONE)


@command(
    help={
        "plan": "Show what would be made; change nothing.",
        "only-lxd": "Leave the machine's own files, units and kernel limits as they are.",
    }
)
def setup(_c: Context, plan: bool = False, only_lxd: bool = False) -> None:
    """Make LXD's pool, bridge and default profile where there are none."""
    from host.setup import setup as host_setup
    from lab.machine.lock_directory import LOCAL, have_place

    settings, machine = read_settings(), this_machine()
    with console.reporter() as report:
        if not plan:
            keep_quotas(settings, report)
        actions = host_setup.set_up(
            connect_to(settings),
            settings,
            report,
            machine=machine,
            only_plan=plan,
            only_lxd=only_lxd,
        )
    if not plan and settings.remote == LOCAL and machine.superuser:
        have_place()  # for those of LXD's group, who may not make it
    for action in actions:
        console.print_text(str(action))
    if not actions:
        console.print_text("The host is set up; nothing to do.")


@command(help={"json": "One JSON document on stdout."})
def check(_c: Context, json: bool = False) -> None:
    """Check the host's GPUs, drivers, network and containers, and show the fix for each fault."""
    from commands.unfinished import unfinished
    from commands.versions import drifting
    from commands.views import findings as view
    from host import finding
    from host.check import check as host_check
    from host.check.drift import Versions

    settings = read_settings()
    lxd = connect_to(settings)
    try:
        versions = drifting(lxd, settings) if lxd.gpus() else Versions()
    except InputError:
        versions = Versions()  # a delivery beyond this LXD: a finding of its own
    found = host_check.check(lxd, settings, versions, this_machine(), unfinished=unfinished(lxd))
    if json:
        console.print_json(finding.document(found))
    else:
        console.print_table("", view.COLUMNS, map(view.row, found), empty="")
        if advice := view.advice(found):
            console.print_text(advice)
    if unfit := finding.verdict(found):
        raise unfit
