"""Commands about the machine."""

from __future__ import annotations

from invoke.context import Context

from commands.edge import command, connect_to, keep_quotas, read_settings
from lab import console


@command(help={"plan": "Show what would be made, change nothing."})
def setup(_c: Context, plan: bool = False) -> None:
    """Make LXD's pool, bridge and default profile where there are none."""
    from host import setup as host_setup

    settings = read_settings()
    with console.reporter() as report:
        if not plan:
            keep_quotas(settings, report)
        actions = host_setup.set_up(connect_to(settings), settings, report, only_plan=plan)
    for action in actions:
        console.print_text(str(action))
    if not actions:
        console.print_text("The host is set up; nothing to do.")
