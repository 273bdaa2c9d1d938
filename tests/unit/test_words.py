"""Any number of names after a command, read by invoke's own parser."""

from __future__ import annotations

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.parser import Parser
from invoke.tasks import task

from commands.variadic import TakesNames, words_behind


@task(klass=TakesNames, auto_shortflags=False)
def sync_things(_c: Context, names: list[str] | None = None, plan: bool = False) -> None:  # noqa: FBT001, FBT002
    """Nothing."""


@task(klass=TakesNames, auto_shortflags=False)
def fetch_things(_c: Context, names: list[str] | None = None, from_: str = "") -> None:
    """An option whose name is a word of Python's."""


def test_the_value_of_such_an_option_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["fetch-things", "ann", "--from", "/srv", "ben"]
    monkeypatch.setattr("sys.argv", ["invoke", *words])
    (context,) = Parser(contexts=Collection(fetch_things).to_contexts()).parse_argv(words)
    assert context.as_kwargs == {"names": ["ann", "ben"], "from_": "/srv"}


@pytest.mark.parametrize(
    ("line", "names", "plan"),
    [
        ("sync-things", [], False),
        ("sync-things ann", ["ann"], False),
        ("sync-things ann ben cat", ["ann", "ben", "cat"], False),
        ("sync-things ann --plan ben", ["ann", "ben"], True),
        ("sync-things --plan", [], True),
        ("sync-things --plan ann", ["ann"], True),
        # A container may be called as a command is.
        ("sync-things sync-things", ["sync-things"], False),
    ],
)
def test_names(line: str, names: list[str], plan: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    words = line.split()
    monkeypatch.setattr("sys.argv", ["invoke", *words])
    (context,) = Parser(contexts=Collection(sync_things).to_contexts()).parse_argv(words)
    assert context.as_kwargs == {"names": names, "plan": plan}


def test_names_are_counted_beside_options_that_take_a_value() -> None:
    valued = {"--to", "--template"}
    typed = ["invoke", "upgrade", "ann", "--to", "20261126.1", "bob", "--plan", "eve", "--to=1"]
    assert words_behind("upgrade", typed, valued) == 3
    assert words_behind("upgrade", ["invoke", "upgrade", "--all", "--to", "1"], valued) == 0
    assert words_behind("upgrade", ["invoke", "list"], valued) == 0
