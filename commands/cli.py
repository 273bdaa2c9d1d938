"""Between invoke and the packages: errors become exit codes, settings become connections."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from lab import console
from lab.errors import InputError, LabError
from lab.own_files import insist_on_named, insist_on_program, insist_on_settings
from lab.places import ROOT
from lab.settings.settings import Settings, load_with_tree, settings_path

if TYPE_CHECKING:
    from host.machine import Machine
    from images.context import BuildContext
    from lab.lxd.port import Lxd
    from lab.yaml.tree import Tree
from lab.report import Report

# The commands import their own package when they run, so that `invoke list` does not wait for the
# image pipeline.

INTERRUPTED = 130

P = ParamSpec("P")


class Command(Task[Any]):
    """A task that can be asked for its options more than once: invoke drops their help texts."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        texts = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts


def command(**options: Any) -> Callable[[Callable[P, None]], Task[Any]]:
    """An invoke task whose expected failures end as their text and exit code.

    No short flags: invoke would make up `-p` for --plan here, --password and --purge there.
    """

    def make(body: Callable[P, None]) -> Task[Any]:
        options.setdefault("klass", Command)
        made: Task[Any] = task(auto_shortflags=False, **options)(_reporting(body))
        return made

    return make


def _reporting(body: Callable[P, None]) -> Callable[P, None]:

    @functools.wraps(body)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        # An ssh session that breaks off; under nohup it is to go on.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _interrupt)
        try:
            insist_on_program(ROOT)
            body(*args, **kwargs)
        except LabError as error:
            console.print_error(error)
            raise Exit(code=error.exit_code) from error
        except BrokenPipeError as gone:
            # `invoke show bob | head`
            raise Exit(code=reader_gone()) from gone
        except KeyboardInterrupt as interrupt:
            console.print_note("Interrupted.")
            raise Exit(code=INTERRUPTED) from interrupt

    return reporting


def reader_gone() -> int:
    """The exit code; and nothing is flushed into the broken pipe at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def read_settings() -> Settings:
    return read_settings_and_tree()[0]


def read_settings_and_tree() -> tuple[Settings, Tree | None]:
    """The settings and the file with its lines, read once; None where there is no file."""
    insist_on_settings(ROOT)
    settings, tree = load_with_tree(ROOT)
    insist_on_named(settings)
    file = settings_path(ROOT)
    if settings.holds_password and file.stat().st_mode & 0o004:
        console.print_note(f"{file} holds a password, and everybody may read it: chmod o= {file}")
    return settings, tree


def connect_to(settings: Settings) -> Lxd:
    from lab.lxd.client import connect

    return connect(
        remote=settings.remote,
        project=settings.project,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        server_certificate=settings.server_certificate,
    )


def this_machine() -> Machine:
    from host.machine import Machine

    return Machine()


def keep_quotas(settings: Settings, report: Report) -> None:
    """Have the local kernel count on, before something is made or dropped (lab.machine.quotas)."""
    from lab.machine.quotas import guard_quotas

    if settings.is_local:
        guard_quotas(report)


@contextmanager
def build_context(*, keep_failed: bool = False) -> Iterator[BuildContext]:
    from images.context import open_context

    settings = read_settings()
    with console.reporter() as report:
        yield open_context(ROOT, settings, connect_to(settings), report, keep_failed=keep_failed)


def explained_builds(context: BuildContext) -> Callable[[], AbstractContextManager[None]]:
    """What says which obstacles of the network a build met."""
    from commands.network import explained

    return functools.partial(explained, context.lxd, context.settings, context.report, builds=True)


def rebuild(*templates: str) -> None:
    """Build TEMPLATES where they have changed, or where the host's driver has."""
    from images.build import pipeline

    with build_context() as context:
        keep_quotas(context.settings, context.report)
        pipeline.build_images(context, templates, around=explained_builds(context))


def names(only: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in only.split(",") if name.strip())


def count(option: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InputError(f"--{option} {text}: expected a whole number, such as --{option} 4.")
    return int(text)


def size(option: str, text: str) -> int | None:
    """TEXT in bytes; says what it was taken for where that is not plain."""
    if not text:
        return None
    from lab.sizes import parse_size, reading

    found = parse_size(text)
    if taken := reading(text):
        console.print_note(f"--{option} {text} is {taken}.")
    return found
