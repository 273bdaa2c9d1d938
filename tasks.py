"""The interface: parse, wire, print. Every decision and every effect lives in the wings."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, ParamSpec

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from lab import console
from lab.errors import InputError, LabError
from lab.settings import Settings, load_settings

if TYPE_CHECKING:
    from images.workshop import Workshop
    from lab.lxd.port import Lxd

# Each task imports its own wing, so that `invoke list` does not wait for the image pipeline.

ROOT = Path(__file__).resolve().parent
INTERRUPTED = 130

P = ParamSpec("P")


def reports_errors(body: Callable[P, None]) -> Callable[P, None]:
    """Turn expected failures into their text and exit code; a bug keeps its traceback."""

    @functools.wraps(body)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            body(*args, **kwargs)
        except LabError as error:
            console.print_error(error)
            raise Exit(code=error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            console.print_note("Interrupted; what was half made is removed.")
            raise Exit(code=INTERRUPTED) from interrupt

    return reporting


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


# -- images ------------------------------------------------------------------------------------


@task(
    help={
        "only": "Templates to build, by comma: base,docker. Their parents follow where needed.",
        "plan": "Show what would be built and why, change nothing.",
        "force": "Build also what has not changed, for instance to get security updates.",
        "keep_failed": "Keep the builder or the instance that failed, for a look.",
        "no_smoke": "Publish without checks.",
    }
)
@reports_errors
def build_images(
    _c: Context,
    only: str = "",
    plan: bool = False,
    force: bool = False,
    keep_failed: bool = False,
    no_smoke: bool = False,
) -> None:
    """Build the templates that changed, check them, and give them to users."""
    from images import build

    with _workshop(keep_failed=keep_failed) as shop:
        if plan:
            _, decisions = build.plan_images(shop, _names(only), force=force)
        else:
            decisions = build.build_images(shop, _names(only), force=force, smoke_test=not no_smoke)
    if plan or build.is_nothing(decisions):
        for decision in decisions:
            console.print_text(str(decision))
    if build.is_nothing(decisions):
        console.print_text("Nothing to do.")


@task(help={"json": "One JSON document on stdout."}, name="images")
@reports_errors
def list_images(_c: Context, json: bool = False) -> None:
    """Show every release: version, state, driver, age, size, users, and why it is stale."""
    from images import inventory

    with _workshop() as shop:
        document = inventory.images_document(shop)
    if json:
        console.print_json(document)
        return
    console.print_table(
        "", inventory.COLUMNS, inventory.rows(document), empty="No templates are defined."
    )


@task(help={"template": "Its name or short name."})
@reports_errors
def render(_c: Context, template: str) -> None:
    """Print the cloud-config that TEMPLATE's builder would boot with."""
    from images.blueprint import open_blueprint
    from images.userdata import user_data

    files = open_blueprint(ROOT, _settings())
    definition = files.catalog.get(template)
    console.print_text(user_data(definition, files.distro, files.settings, files.mirrors))


@task
@reports_errors
def check_definitions(_c: Context) -> None:
    """Judge every definition, cloud-init source and the settings, without LXD."""
    from images.judge_files import judge_files
    from lab.problems import BadFiles

    problems = judge_files(ROOT)
    if problems:
        raise BadFiles(problems)
    console.print_text("Every definition, cloud-init source and setting is in order.")


# -- containers --------------------------------------------------------------------------------


@task(
    help={
        "name": "The container's name, and the account's in it.",
        "template": "What it is made from: base, docker, …",
        "key": "ssh public key: a file, -, gh:USER, gl:USER, an https URL, or the key. Repeatable.",
        "cpus": "How many CPUs it may use.",
        "memory": "How much memory: 16GiB.",
        "disk": "Quota of its root: 50GiB.",
        "home": "Quota of its /home: 100GiB. As the root's where not given.",
        "account": "The account's name where it is not the container's.",
        "password": "Make a random password, even with a key.",
        "plan": "Show what would be done, change nothing.",
        "json": "One JSON document on stdout.",
    },
    iterable=["key"],
)
@reports_errors
def provision(
    _c: Context,
    name: str,
    template: str = "base",
    key: list[str] | None = None,
    cpus: str = "",
    memory: str = "",
    disk: str = "",
    home: str = "",
    account: str = "",
    password: bool = False,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Stamp NAME's container from a template: address, account, quota, ready for ssh."""
    from lab.sizes import parse_size
    from provision import card, keys, request, stamp

    wish = request.Request(
        name=name,
        account=account,
        template=template,
        keys=keys.read_keys(key or [], sys.stdin),
        cpus=_count("cpus", cpus),
        memory_bytes=parse_size(memory) if memory else None,
        disk_bytes=parse_size(disk) if disk else None,
        home_bytes=parse_size(home) if home else None,
        password=password,
    )
    settings = _settings()
    with console.reporter() as report:
        stamped = stamp.provision(_connect(settings), settings, wish, report, only_plan=plan)
    if plan:
        for action in stamped.actions:
            console.print_text(str(action))
        if not stamped.actions:
            console.print_text(f"{name} is as asked for; nothing to do.")
        return
    if json:
        console.print_json(card.document(stamped))
        return
    console.print_card(*card.of_stamped(stamped))


@task(help={"json": "One JSON document on stdout."}, name="list")
@reports_errors
def list_containers(_c: Context, json: bool = False) -> None:
    """Show every user's container."""
    from provision import card, listing

    settings = _settings()
    containers = listing.containers(_connect(settings), settings)
    if json:
        console.print_json({"containers": containers})
        return
    console.print_table(
        "",
        card.COLUMNS,
        [card.row(container) for container in containers],
        empty="No containers yet. Make one: invoke provision NAME --template base --key FILE",
    )


@task(help={"name": "The container.", "json": "One JSON document on stdout."})
@reports_errors
def show(_c: Context, name: str, json: bool = False) -> None:
    """Show one container, and how to log in."""
    from provision import card, listing

    settings = _settings()
    document = listing.show(_connect(settings), settings, name)
    if json:
        console.print_json(document)
        return
    console.print_card(*card.of_container(document))


@task(help={"name": "The container."})
@reports_errors
def start(_c: Context, name: str) -> None:
    """Start a container and wait until ssh answers."""
    from provision import lifecycle

    settings = _settings()
    with console.reporter() as report:
        if not lifecycle.start(_connect(settings), settings, name, report=report):
            report.say(f"{name} is running already.")


@task(help={"name": "The container."})
@reports_errors
def stop(_c: Context, name: str) -> None:
    """Stop a container; what runs in it gets 30 seconds to end."""
    from provision import lifecycle

    settings = _settings()
    with console.reporter() as report:
        if not lifecycle.stop(_connect(settings), settings, name, report=report):
            report.say(f"{name} is stopped already.")


@task(help={"name": "The container."})
@reports_errors
def restart(_c: Context, name: str) -> None:
    """Stop a container and start it again."""
    from provision import lifecycle

    settings = _settings()
    with console.reporter() as report:
        lifecycle.restart(_connect(settings), settings, name, report=report)


@task(
    help={
        "name": "The container.",
        "yes": "Do not ask.",
        "purge": "Also remove what is otherwise kept: the home volume.",
    }
)
@reports_errors
def destroy(_c: Context, name: str, yes: bool = False, purge: bool = False) -> None:
    """Remove a container. Its home is kept for a later one of the same name, or purged."""
    from provision import card, lifecycle

    settings = _settings()
    lxd = _connect(settings)
    would = lifecycle.look(lxd, name, purge=purge)
    if not yes and not console.ask(card.of_removal(name, would, question=True)):
        raise InputError(
            f"{name} is left as it is.", fix=f"Confirm with: invoke destroy {name} --yes"
        )
    with console.reporter() as report:
        removed = lifecycle.destroy(lxd, settings, name, purge=purge, report=report)
    console.print_text(card.of_removal(name, removed))


# -- host --------------------------------------------------------------------------------------


@task(help={"plan": "Show what would be made, change nothing."})
@reports_errors
def setup(_c: Context, plan: bool = False) -> None:
    """Make LXD's pool, bridge and default profile where there are none."""
    from host import setup as host_setup

    settings = _settings()
    with console.reporter() as report:
        actions = host_setup.set_up(_connect(settings), settings, report, only_plan=plan)
    for action in actions:
        console.print_text(str(action))
    if not actions:
        console.print_text("The host is set up; nothing to do.")


# -- wiring ------------------------------------------------------------------------------------


def _settings() -> Settings:
    return load_settings(ROOT)


def _connect(settings: Settings) -> Lxd:
    from lab.lxd.client import connect

    return connect(
        remote=settings.remote,
        project=settings.project,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        server_certificate=settings.server_certificate,
    )


@contextmanager
def _workshop(*, keep_failed: bool = False) -> Iterator[Workshop]:
    from images.workshop import open_workshop

    settings = _settings()
    with console.reporter() as report:
        yield open_workshop(ROOT, settings, _connect(settings), report, keep_failed=keep_failed)


def _names(only: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in only.split(",") if name.strip())


def _count(option: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InputError(f"--{option} {text}: a whole number is wanted, such as --{option} 4.")
    return int(text)


namespace = Collection(
    build_images,
    list_images,
    render,
    check_definitions,
    provision,
    list_containers,
    show,
    start,
    stop,
    restart,
    destroy,
)
namespace.add_collection(Collection("host", setup))
