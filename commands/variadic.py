"""Any number of names after a command: `invoke sync-drivers ann bob`. invoke has no such thing."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from invoke.parser.argument import Argument

from commands.cli import Command

NAMES = "names"


class Words(Argument):
    """A positional argument that is complete once it has COUNT words; 0 of them will do."""

    def __init__(self, *, help: str | None, count: int) -> None:  # noqa: A002 - invoke's word
        super().__init__(name=NAMES, kind=list, positional=True, help=help)
        self._count = count
        self._words: list[str] = []

    @property
    def value(self) -> list[str] | None:
        """None asks invoke's parser for another word."""
        return None if len(self._words) < self._count else self._words

    @value.setter
    def value(self, word: str) -> None:
        self._words.append(word)
        self.raw_value = word


class TakesNames(Command):
    """A task whose argument `names` takes the words that are no options, nor values of options."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = super().get_arguments(ignore_unknown_help)
        options = [one for one in arguments if one.takes_value and one.name != NAMES]
        # `name` is the Python argument's, such as `from_`.
        valued = {f"--{name}" for one in options for name in one.names}
        count = words_behind(self.name.replace("_", "-"), sys.argv, valued)
        return [
            Words(help=argument.help, count=count) if argument.name == NAMES else argument
            for argument in arguments
        ]


def words_behind(command: str, argv: Sequence[str], valued: Collection[str] = ()) -> int:
    """How many words of ARGV after COMMAND are not options, nor the value of one of VALUED."""
    if command not in argv:
        return 0
    behind = argv[list(argv).index(command) + 1 :]
    before = ["", *behind]
    return sum(
        not word.startswith("-") and option not in valued
        for option, word in zip(before, behind, strict=False)
    )
