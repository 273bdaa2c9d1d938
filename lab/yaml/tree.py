"""YAML as people mean it: text stays text, and every key is given once and has a line.

PyYAML alone reads `24.10` as 24.1, `010` as 8, `on` as true, and keeps the last of two equal
keys in silence.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from lab.names import quote
from lab.printable import in_line
from lab.yaml.problems import Problem

Loc: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | None"


_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DEEPEST: Final = 50
_MOST_VALUES: Final = 100_000
_MOST_CHARACTERS: Final = 8_000_000
"""With what aliases repeat: some lines of them come to more than any memory holds."""


class _TooMuch(Exception):
    """What no file that a person wrote comes to."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Resolves true, false, null and plain decimal numbers; everything else is text."""

    yaml_implicit_resolvers: Final = {}  # type: ignore[misc]


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where PyYAML was built with it."""

    yaml_implicit_resolvers: Final[dict[str, object]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ("n", "~", "")),
    ("int", _WHOLE.pattern, "-0123456789"),
):
    for _one in (_Loader, _FastLoader):
        _one.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A file's VALUE; LINES of its keys and list items; PROBLEMS of its form."""

    path: Path
    value: Value = None
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """Where LOC is written, or the nearest thing around it."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def problem(self, loc: Loc, text: str) -> Problem:
        return Problem(path=self.path, line=self.line(loc), text=text)


def read_tree(path: Path) -> Tree:
    """The tree of the file at PATH; that it cannot be read is a problem like others."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        return Tree(path=path, problems=[Problem(path=path, text=reason)])
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Tree(path=path, problems=[Problem(path=path, line=line, text="is not UTF-8")])
    return parse_tree(text, path)


def parse_tree(text: str, path: Path) -> Tree:
    """The tree of TEXT, told of as if it were in PATH."""
    lines: dict[Loc, int] = {}
    problems: list[Problem] = []
    try:
        _refuse_deep(text)
        node = _composed(text)
        value = _Walk(path, lines, problems).value(node, ()) if node is not None else None
    except _TooMuch as error:
        return Tree(path=path, problems=[Problem(path=path, line=error.line, text=str(error))])
    except (ValueError, OverflowError):
        # PyYAML makes a character of any number.
        reason = "not YAML: an escape such as \\U0001F600 names no character"
        return Tree(path=path, problems=[Problem(path=path, line=1, text=reason)])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        reason = error.problem or error.context or "unreadable"
        return Tree(path=path, problems=[Problem(path=path, line=line, text=f"not YAML: {reason}")])
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        reason = f"not YAML: character {quote(text[error.position])}"
        return Tree(path=path, problems=[Problem(path=path, line=line, text=reason)])
    return Tree(path=path, value=value, lines=lines, problems=problems)


def _refuse_deep(text: str) -> None:
    """Before it is composed: that goes down by calls, of which there is an end."""
    depth = 0
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=_FastLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEEPEST:
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    raise _TooMuch(line, f"nested more than {_DEEPEST} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1


def _composed(text: str) -> yaml.Node | None:
    """As PyYAML itself reads it, ten times as fast.

    Only its own parser words errors as people know them, and refuses tabs where cloud-init does.
    """
    if "\t" not in text:
        with suppress(yaml.YAMLError):
            return yaml.compose(text, Loader=_FastLoader)
    return yaml.compose(text, Loader=_Loader)


class _Walk:
    """From nodes to values, noting lines and what is wrong on the way."""

    def __init__(self, path: Path, lines: dict[Loc, int], problems: list[Problem]) -> None:
        self._path = path
        self._lines = lines
        self._problems = problems
        self._above: list[yaml.Node] = []
        self._values = 0
        self._characters = 0

    def value(self, node: yaml.Node, loc: Loc) -> Value:
        self._count(node)
        self._lines.setdefault(loc, node.start_mark.line + 1)
        if any(node is above for above in self._above):
            self._refuse(node, "an alias that contains itself")
            return None
        self._above.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, loc)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*loc, i)) for i, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._above.pop()

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, "a key must be a word")
                continue
            key = (
                str(self._scalar(key_node)) if _SURROGATE.search(key_node.value) else key_node.value
            )
            here = (*loc, key)
            if key in entries:
                first = self._lines[here]
                self._refuse(key_node, f"{dotted(here)}: given twice (first on line {first})")
                continue
            self._lines[here] = key_node.start_mark.line + 1
            entries[key] = self.value(value_node, here)
        return entries

    def _count(self, node: yaml.Node) -> None:
        self._values += 1
        self._characters += len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if self._values > _MOST_VALUES or self._characters > _MOST_CHARACTERS:
            raise _TooMuch(node.start_mark.line + 1, "with its aliases, the file is too large")

    def _scalar(self, node: yaml.Node) -> Value:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "int" and _WHOLE.fullmatch(node.value):
            return int(node.value)
        if kind == "bool":
            return str(node.value) == "true"
        if kind == "null":
            return None
        if kind != "str":
            self._refuse(node, f"the tag {in_line(node.tag)} is not supported")
        if _SURROGATE.search(node.value):
            self._refuse(node, "half of a character, such as \\ud83d, cannot be text")
            return ""
        return str(node.value)

    def _refuse(self, node: yaml.Node, text: str) -> None:
        self._problems.append(Problem(path=self._path, line=node.start_mark.line + 1, text=text))


def dotted(loc: Loc) -> str:
    """`checks[0].run`: LOC as people write it."""
    text = ""
    for part in loc:
        word = f"[{part}]" if isinstance(part, int) else in_line(part)
        text += f".{word}" if text and isinstance(part, str) else word
    return text
