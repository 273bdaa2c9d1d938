"""The top-level keys of a cloud-config text: what is said twice put together, commands watched.

cloud-init keeps the last of two equal keys in silence, and runs all of `runcmd` as one script whose
last command alone decides. Everything else of the text stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from lab.cloudinit.quoting import quoted

COMMANDS: Final = ("bootcmd", "runcmd")
"""Keys whose lists cloud-init runs as one script of sh."""
FAILED: Final = "labstamp: error: a command failed"
"""Begins the line that names the command which ended a boot."""

_PLAIN: Final = re.compile(r"[^\s'\"]+")
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """KEY, and its VALUE as cloud-init would read it; lines START to END (exclusive) from 0."""

    key: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A PLACE such as ("apt", "preserve_sources_list") that has two values; LINES of its key."""

    place: Place
    lines: tuple[int, ...]

    @property
    def key(self) -> str:
        return self.place[0]

    def __str__(self) -> str:
        return f"{'.'.join(self.place)}: given twice"


def settled(text: str, *, watch: bool = True) -> tuple[str, tuple[Conflict, ...]]:
    """TEXT with every key once and, to WATCH, its commands ending at what fails; and conflicts.

    A text that is no mapping is left for others to judge.
    """
    sections = _sections(text)
    problems: list[Conflict] = []
    replaced: dict[int, str] = {}
    gone: set[int] = set()
    by_key: dict[str, list[Section]] = {}
    for section in sections:
        by_key.setdefault(section.key, []).append(section)
    for key, said in by_key.items():
        value = said[0].value
        if len(said) > 1:
            conflicts: list[Place] = []
            for later in said[1:]:
                value = merged(value, later.value, (key,), conflicts, commands=key in COMMANDS)
            if conflicts:
                lines = tuple(section.start + 1 for section in said)
                problems += [Conflict(place=place, lines=lines) for place in conflicts]
                continue
            gone |= {section.start for section in said[:-1]}
            replaced[said[-1].start] = _written(key, value)
        if watch and key in COMMANDS and _are_commands(value):
            replaced[said[-1].start] = _listed(key, watched(key, value))
    return _rebuilt(text, sections, replaced, gone), tuple(problems)


def with_value(text: str, key: str, change: Callable[[Any], Any]) -> str:
    """TEXT, which has each key once, with what CHANGE makes of KEY's value, where it has that key.

    CHANGE is given a value that it may alter. Pure.
    """
    sections = _sections(text)
    replaced = {
        section.start: _written(key, change(section.value))
        for section in sections
        if section.key == key
    }
    return _rebuilt(text, sections, replaced, set())


def merged(
    one: Any, other: Any, where: Place, conflicts: list[Place], *, commands: bool = False
) -> Any:
    """ONE and what OTHER adds: mappings key by key, commands one after the other. Pure.

    Where they say two different things, their place is added to CONFLICTS.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = dict(one)
        for key, value in other.items():
            here = (*where, str(key))
            both[key] = merged(one[key], value, here, conflicts) if key in one else value
        return both
    if commands and isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    if len(where) < 2 or one != other or type(one) is not type(other):
        conflicts.append(where)
    return one


def watched(key: str, commands: Sequence[Any]) -> list[Any]:
    """COMMANDS of KEY, to end at the first that fails, and to say which. Pure.

    `set +e`, or `|| true` behind a command, says that failing is all right.
    """
    lines = []
    for number, command in enumerate(commands):
        text = command if isinstance(command, str) else " ".join(map(_shown, command))
        lines += [f"labstamp_at={_shell(f'{key}[{number}]: {_short(text)}')}", command]
    # The trap runs with the exit code of what ended the script.
    trap = f'code=$?; test $code = 0 || echo "{FAILED} with $code: $labstamp_at" >&2'
    return ["set -e", f"trap {_shell(trap)} EXIT", *lines]


def _are_commands(value: object) -> bool:
    """Whether sh could run it; what else it is, cloud-init's schema judges."""
    return (
        isinstance(value, list) and all(isinstance(one, str | list) for one in value) and any(value)
    )


def _sections(text: str) -> tuple[Section, ...]:
    try:
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            return ()
        loader = yaml.SafeLoader("")
        pairs = [
            (str(key.value), loader.construct_object(value, deep=True), key.start_mark.line)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        ]
    except (yaml.YAMLError, ValueError):
        return ()
    flow = node.flow_style
    if flow or len(pairs) != len(node.value):
        return ()
    ends = [start for _, _, start in pairs[1:]] + [len(text.splitlines())]
    return tuple(
        Section(key=key, value=value, start=start, end=end)
        for (key, value, start), end in zip(pairs, ends, strict=True)
    )


def _rebuilt(
    text: str, sections: Sequence[Section], replaced: Mapping[int, str], gone: set[int]
) -> str:
    if not replaced and not gone:
        return text
    lines = text.splitlines(keepends=True)
    whole = lines[: sections[0].start]
    for section in sections:
        own = lines[section.start : section.end]
        # The comments and blank lines before the next key belong to that.
        rest = list(_trailing(own))
        if section.start in replaced:
            whole.append(replaced[section.start])
        elif section.start not in gone:
            whole += own[: len(own) - len(rest)]
        whole += rest
    return "".join(whole)


def _trailing(lines: Sequence[str]) -> Iterator[str]:
    count = len(lines)
    while count > 1 and (not lines[count - 1].strip() or lines[count - 1].startswith("#")):
        count -= 1
    yield from lines[count:]


def _written(key: str, value: Any) -> str:
    return yaml.safe_dump(
        {key: value}, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=False
    )


def _listed(key: str, commands: Sequence[Any]) -> str:
    """As people write it: a command a line."""
    return f"{key}:\n" + "".join(f"  - {quoted(_words(command))}\n" for command in commands)


def _words(command: Any) -> Any:
    """A number with a point is a word to sh, as all others."""
    if isinstance(command, list):
        return [word if isinstance(word, str | int) else str(word) for word in command]
    return command


def _shown(word: object) -> str:
    """For people, who are told with it what failed."""
    text = str(word)
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
