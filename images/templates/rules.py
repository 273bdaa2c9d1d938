"""What must hold between definitions, and between a definition and the files it names. Pure.

What one file says by itself is judged by its types in images.templates.definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from images.check_kinds.provision import PROVISION
from images.templates.definition import Definition
from lab.allowed import device_objection, key_objection
from lab.names import did_you_mean
from lab.yaml.problems import Problem, shown
from lab.yaml.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A definition with the tree it was read from."""

    definition: Definition
    tree: Tree


def judge(
    written: Sequence[Written],
    cloud_init: Path,
    scripts: Path,
    *,
    unreadable: AbstractSet[str] = frozenset(),
) -> Iterator[Problem]:
    """Everything wrong in and between the WRITTEN definitions.

    UNREADABLE are files told of already; that they are no templates yet is not told again.
    """
    by_name = {one.definition.name: one for one in written}
    for one in written:
        yield from _name(one)
        yield from _abstract(one)
        if one.definition.parent not in unreadable:
            yield from _parent(one, by_name)
        yield from _files(one, cloud_init, scripts)
        yield from _instance(one)
        yield from _checks(one)
    yield from _shorts(written)
    yield from _cycles(by_name)


def _name(one: Written) -> Iterator[Problem]:
    stem = one.tree.path.stem
    if one.definition.name != stem:
        text = f"name: must be that of the file, {stem}, not {one.definition.name}"
        yield one.tree.problem(("name",), text)


def _abstract(one: Written) -> Iterator[Problem]:
    definition = one.definition
    if definition.abstract and "short" in definition.model_fields_set:
        text = "short: an abstract template has none, since no container is made from it; remove it"
        yield one.tree.problem(("short",), text)


def _parent(one: Written, by_name: Mapping[str, Written]) -> Iterator[Problem]:
    parent = one.definition.parent
    if parent is not None and parent not in by_name:
        text = f"parent: there is no template {parent}{did_you_mean(parent, by_name)}"
        yield one.tree.problem(("parent",), text)


def _files(one: Written, cloud_init: Path, scripts: Path) -> Iterator[Problem]:
    name = one.definition.cloud_init
    if not (cloud_init / name).is_file():
        present = [path.name for path in cloud_init.glob("*.j2")]
        yield one.tree.problem(("cloud-init",), _no_file("cloud-init", cloud_init / name, present))
    present = [path.name for path in scripts.glob("*.sh")]
    for number, script in enumerate(one.definition.scripts):
        if script not in present:
            here = ("scripts", number)
            yield one.tree.problem(here, _no_file(f"scripts[{number}]", scripts / script, present))
    for number, check in enumerate(one.definition.checks):
        for word in check.own_argv:
            directory, _, script = word.rpartition("/")
            if directory == "/run/labstamp" and script not in present:
                text = _no_file(f"checks[{number}].run", scripts / script, present)
                yield one.tree.problem(("checks", number, "run"), text)


def _no_file(key: str, path: Path, present: Sequence[str]) -> str:
    return f"{key}: there is no {shown(path)}{did_you_mean(path.name, present)}"


def _instance(one: Written) -> Iterator[Problem]:
    where = f"{one.definition.name}: "
    for key, value in one.definition.instance.config.items():
        if reason := key_objection(key, value):
            text = f"{where}{key}: {reason}"
            yield one.tree.problem(("instance", "config", key), text)
    for name, device in one.definition.instance.devices.items():
        if reason := device_objection(name, device):
            yield one.tree.problem(("instance", "devices", name), f"{where}device {name}: {reason}")


def _checks(one: Written) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, check in enumerate(one.definition.checks):
        if check.name == PROVISION:
            text = f"checks[{number}]: {PROVISION} is the check that every image gets; rename it"
            yield one.tree.problem(("checks", number), text)
        if check.name in seen:
            text = (
                f'checks[{number}]: "{check.name}" is also the name of checks[{seen[check.name]}]'
            )
            yield one.tree.problem(("checks", number), text)
        seen.setdefault(check.name, number)


def _shorts(written: Sequence[Written]) -> Iterator[Problem]:
    taken: dict[str, str] = {one.definition.name: one.definition.name for one in written}
    for one in written:
        short, name = one.definition.short, one.definition.name
        owner = taken.setdefault(short, name)
        if owner != name:
            yield one.tree.problem(("short",), f"short: {short} is already {owner}")


def _cycles(by_name: Mapping[str, Written]) -> Iterator[Problem]:
    told: set[str] = set()
    for name in by_name:
        trail = [name]
        while True:
            last = by_name.get(trail[-1])
            parent = last.definition.parent if last else None
            if parent is None or parent in told:
                break
            if parent in trail:
                ring = [*trail[trail.index(parent) :], parent]
                told |= set(ring)
                text = f"parent: {' → '.join(ring)} is a circle"
                yield by_name[ring[0]].tree.problem(("parent",), text)
                break
            trail.append(parent)
