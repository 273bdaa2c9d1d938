"""Commands about users' containers."""

from __future__ import annotations

import sys

from invoke.context import Context

from commands.cli import command, connect_to, count, keep_quotas, read_settings, size
from commands.provisioning import stamp, stamp_or_build
from lab import console
from lab.errors import InputError

_NONE = "No containers yet. Make one: invoke provision NAME --template base --key FILE"


@command(
    help={
        "name": "Name of the container, and of the account in it.",
        "template": "Template to make it from: base (the default), docker, …",
        "key": "ssh public key: a file, -, gh:USER, gl:USER, an https URL, or the key. Repeatable.",
        "cpus": "How many CPUs it may use.",
        "memory": "How much memory: 16GiB.",
        "disk": "Quota of its root: 50GiB.",
        "home": "Quota of its /home: 100GiB. Default: the quota of the root.",
        "account": "Name of the account. Default: the name of the container.",
        "gpus": "GPUs: a count, all, none, PCI addresses, UUIDs or idx:N. Also for existing "
        "containers.",
        "share": "A share of lab.yaml that it gets, or none. Repeatable. Default: those that "
        "lab.yaml gives to all.",
        "password": "Make a random password, even with a key.",
        "until": "Its last day, 2027-01-31, or never. Default: the lab's lifetime.",
        "mail": "Mail address of its user, for messages about the end of that time.",
        "plan": "Show what would be done; change nothing.",
        "json": "One JSON document on stdout.",
    },
    iterable=["key", "share"],
)
def provision(
    _c: Context,
    name: str,
    template: str = "",
    key: list[str] | None = None,
    cpus: str = "",
    memory: str = "",
    disk: str = "",
    home: str = "",
    account: str = "",
    gpus: str = "",
    share: list[str] | None = None,
    password: bool = False,
    until: str = "",
    mail: str = "",
    plan: bool = False,
    json: bool = False,
) -> None:
    """Make NAME's container from a template: address, account, quota, ready for ssh."""
    from commands.views import containers as view
    from lab.gpu_selection import parse_selection
    from lab.mail import check_mail
    from provision.create import request
    from provision.create.time import until_of
    from provision.keys import ssh_keys
    from provision.shares.sharing import shares_named

    other = (template, key, cpus, memory, disk, home, account, share, password, until, mail)
    wish = request.Request(
        name=name,
        account=account,
        template=template or "base",
        keys=ssh_keys.read_keys(key or [], sys.stdin.buffer, warn=console.print_note),
        cpus=count("cpus", cpus),
        memory_bytes=size("memory", memory),
        disk_bytes=size("disk", disk),
        home_bytes=size("home", home),
        password=password,
        until=until_of(until) if until else None,
        mail=check_mail(mail) if mail else None,
        shares=shares_named(share or []),
        gpus=parse_selection(gpus) if gpus else None,
        only_gpus=bool(gpus) and not any(other),
        only_name=not gpus and not any(other),
    )
    stamped = stamp_or_build(read_settings(), wish, plan=plan)
    if stamped is None:
        return
    if plan:
        for action in stamped.actions:
            console.print_text(str(action))
        if not stamped.actions:
            console.print_text(f"{name} already is as requested; nothing to do.")
        return
    if json:
        console.print_json(view.document(stamped))
        return
    console.print_summary(*view.of_stamped(stamped))


@command(
    help={
        "json": "One JSON document on stdout.",
        "watch": "Draw the table again every two seconds, until Ctrl-C.",
    },
    name="list",
)
def list_containers(_c: Context, json: bool = False, watch: bool = False) -> None:
    """Show every user's container, and what it uses."""
    from commands.views import containers as view
    from provision import listing

    if watch:
        if json:
            raise InputError(
                "list takes --json or --watch, not both.", fix="Leave one of them out."
            )
        console.refuse_without_terminal()
    settings = read_settings()
    lxd = connect_to(settings)
    if json:
        console.print_json({"containers": listing.containers(lxd, settings)})
        return

    def look() -> list[tuple[str, ...]]:
        return [view.row(container) for container in listing.containers(lxd, settings)]

    if watch:
        console.watch_table(view.COLUMNS, look, empty=_NONE)
    else:
        console.print_table("", view.COLUMNS, look(), empty=_NONE)


@command(help={"name": "The container.", "json": "One JSON document on stdout."})
def show(_c: Context, name: str, json: bool = False) -> None:
    """Show one container, and how to log in."""
    from commands.views import containers as view
    from provision import listing

    settings = read_settings()
    document = listing.show(connect_to(settings), settings, name)
    if json:
        console.print_json(document)
        return
    console.print_summary(*view.of_container(document))


@command(help={"name": "The container."})
def start(_c: Context, name: str) -> None:
    """Start a container and wait until ssh answers."""
    from provision import lifecycle

    settings = read_settings()
    with console.reporter() as report:
        if not lifecycle.start(connect_to(settings), settings, name, report=report):
            report.say(f"{name} is running already.")


@command(help={"name": "The container."})
def stop(_c: Context, name: str) -> None:
    """Stop a container; what runs in it gets 30 seconds to end."""
    from provision import lifecycle

    settings = read_settings()
    with console.reporter() as report:
        if not lifecycle.stop(connect_to(settings), settings, name, report=report):
            report.say(f"{name} is stopped already.")


@command(help={"name": "The container."})
def restart(_c: Context, name: str) -> None:
    """Stop a container and start it again."""
    from provision import lifecycle

    settings = read_settings()
    with console.reporter() as report:
        lifecycle.restart(connect_to(settings), settings, name, report=report)


@command(
    help={
        "name": "The container to copy. It may run meanwhile.",
        "new": "Name of the copy, and of the account in it.",
        "key": "ssh public key, as for provision. Repeatable.",
        "cpus": "How many CPUs it may use.",
        "memory": "How much memory: 16GiB.",
        "disk": "Quota of its root. Default: the quota of the copied one.",
        "home": "Quota of its /home. Default: the quota of the root.",
        "account": "Name of the account. Default: the name of the copy.",
        "gpus": "GPUs, as for provision. Default: none.",
        "password": "Make a random password, even with a key.",
        "with-home": "Copy what is in /home, too. Without it, /home is empty.",
        "plan": "Show what would be done; change nothing.",
        "json": "One JSON document on stdout.",
    },
    iterable=["key"],
)
def clone(
    _c: Context,
    name: str,
    new: str,
    key: list[str] | None = None,
    cpus: str = "",
    memory: str = "",
    disk: str = "",
    home: str = "",
    account: str = "",
    gpus: str = "",
    password: bool = False,
    with_home: bool = False,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Make a container for somebody else from what is installed in NAME."""
    from commands.views import containers as view
    from lab.gpu_selection import parse_selection
    from provision.clone.cleaning import UNKNOWN
    from provision.create.provision import Copy
    from provision.create.request import Request
    from provision.keys import ssh_keys

    wish = Request(
        name=new,
        account=account,
        # That of the container which is copied.
        template="",
        keys=ssh_keys.read_keys(key or [], sys.stdin.buffer, warn=console.print_note),
        cpus=count("cpus", cpus),
        memory_bytes=size("memory", memory),
        disk_bytes=size("disk", disk),
        home_bytes=size("home", home),
        password=password,
        gpus=parse_selection(gpus) if gpus else None,
    )
    copy = Copy(source=name, with_home=with_home)
    made = stamp(read_settings(), wish, plan=plan, copy=copy)
    if plan:
        for action in made.actions:
            console.print_text(str(action))
    if made.actions:
        console.print_note(UNKNOWN)
    elif plan:
        console.print_text(f"{new} already is as requested; nothing to do.")
    if plan:
        return
    if json:
        console.print_json(view.document(made))
        return
    console.print_summary(*view.of_stamped(made))


@command(
    help={
        "name": "The container.",
        "yes": "Do not ask.",
        "purge": "Also remove the home volume, which is otherwise kept.",
    }
)
def destroy(_c: Context, name: str, yes: bool = False, purge: bool = False) -> None:
    """Remove a container. Its home is kept for a later one of the same name, or purged."""
    from commands.views import containers as view
    from provision import lifecycle

    settings = read_settings()
    lxd = connect_to(settings)
    would = lifecycle.look(lxd, name, purge=purge)
    if not yes and not console.ask(view.of_removal(name, would, question=True)):
        raise InputError(
            f"{name} was not removed.", fix=f"Confirm with: invoke destroy {name} --yes"
        )
    with console.reporter() as report:
        keep_quotas(settings, report)
        removed = lifecycle.destroy(lxd, settings, name, purge=purge, report=report)
    console.print_text(view.of_removal(name, removed))
