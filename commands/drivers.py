"""Commands about drivers: what is where, and bringing containers to the host's."""

from __future__ import annotations

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings
from commands.variadic import TakesNames
from lab import console


@command(help={"json": "One JSON document on stdout."})
def drivers(_c: Context, json: bool = False) -> None:
    """Show the driver of the host, releases and containers, and which do not fit the host."""
    from commands.views import drivers
    from provision.drivers.survey import survey

    settings = read_settings()
    found = survey(connect_to(settings), settings)
    if json:
        console.print_json(drivers.document(found))
        return
    console.print_summary(*drivers.of_host(found))
    console.print_table(
        "", drivers.COLUMNS, drivers.rows(found), empty="No releases, no containers."
    )
    for line in drivers.advice(found):
        console.print_text(line)


@command(
    help={
        "names": "The containers. Default: all.",
        "plan": "Show what would be done; change nothing.",
        "restart": "Also restart containers that get their driver when they start.",
        "force": "Also change containers with processes on the GPUs; these processes may crash.",
    },
    klass=TakesNames,
)
def sync_drivers(
    _c: Context,
    names: list[str] | None = None,
    plan: bool = False,
    restart: bool = False,
    force: bool = False,
) -> None:
    """Update existing containers to the host's driver; roll back each one that fails."""
    from provision.drivers import sync
    from provision.drivers.plan import Options

    settings = read_settings()
    lxd = connect_to(settings)
    options = Options(restart=restart, force=force)
    if plan:
        host, actions = sync.plan_sync(lxd, settings, names or [], options)
        console.print_text("\n".join(map(str, actions)) or sync.nothing_to_do(host.driver))
        return
    with console.reporter() as report:
        keep_quotas(settings, report)
        outcome = sync.sync_drivers(lxd, settings, names or [], options, report)
    for left in outcome.left:
        console.print_text(str(left))
    if not (outcome.done or outcome.left or outcome.failed):
        console.print_text(sync.nothing_to_do(outcome.version))
    failed = sync.failure(outcome)
    if failed is not None:
        raise failed
