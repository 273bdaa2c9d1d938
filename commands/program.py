"""The installed command `labstamp`: the tasks of tasks.py, without what runs shell commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.program import Program

from commands import completion
from commands.cli import reader_gone
from commands.mistyped import wants_help, wrong_list_format
from commands.refusing import explaining
from commands.spelling import respelling
from commands.typed import typed
from lab import console, places
from lab.errors import LabError

NAME = "labstamp"
_CORE = frozenset(
    {"help", "list", "list-depth", "list-format", "complete", "print-completion-script", "version"}
)
"""Of invoke's own options. `--dry` is not among them: it would leave no change out."""


def run(namespace: Collection) -> None:
    """The whole program: read sys.argv, run the tasks of NAMESPACE, exit."""
    program = Labstamp(namespace)
    console.spell_commands(respelling(Path(sys.argv[0]), namespace.task_names))
    if sys.argv[1:2] == ["--complete"]:
        # Not by invoke, which joins the words, and fails on half a quotation.
        program.print_candidates(sys.argv[2:])
        return
    try:
        try:
            program.run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(reader_gone())


class Labstamp(Program):
    def __init__(self, namespace: Collection) -> None:
        super().__init__(version=places.version(), namespace=namespace, name=NAME, binary=NAME)
        self._commands = namespace

    def core_args(self) -> list[Argument]:
        return [argument for argument in super().core_args() if argument.name in _CORE]

    def create_config(self) -> None:
        # Without invoke's configuration files, which are for shell commands and may be Python.
        self.config = Config(lazy=True)

    def update_config(self, merge: bool = True) -> None:
        """Nothing: the options that would change it are not there."""

    def parse_core(self, argv: list[str] | None) -> None:
        self.normalize_argv(argv)
        with self._explaining():
            self.parse_core_args()
            if wrong := wrong_list_format(self.args["list-format"].value):
                raise wrong
        if self.args.version.value:
            self.print_version()
            raise Exit
        if shell := self.args["print-completion-script"].value:
            with self._explaining():
                sys.stdout.write(completion.script(shell))
            raise Exit

    def parse_tasks(self) -> None:
        with self._explaining():
            self._look_at_options()
            super().parse_tasks()

    def _look_at_options(self) -> None:
        core = self.initial_context
        words = typed(self.core.unparsed, self._commands.to_contexts(), core)
        if command := wants_help(list(words), core):
            self.parser = self._make_parser()
            self.print_task_help(command)
            raise Exit

    def parse_cleanup(self) -> None:
        with self._explaining():
            super().parse_cleanup()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with explaining(self._commands.task_names, self.initial_context, program=NAME):
            try:
                yield
            except ValueError:
                # The only option of which invoke makes a number.
                raise LabError("--list-depth needs a whole number.") from None

    def print_candidates(self, argv: list[str]) -> None:
        """ARGV: `--` and the words behind the program's name."""
        words = argv[1:] if argv[:1] == ["--"] else argv
        contexts = self._commands.to_contexts()
        for word in completion.candidates(words, contexts, self.initial_context):
            sys.stdout.write(f"{word}\n")
