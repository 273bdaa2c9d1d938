"""The templates there are: all definitions together, their parents and what they inherit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from images.check_kinds.kinds import Check
from images.templates.definition import PATH, Definition, InstanceNeeds
from images.templates.rules import Written, judge
from lab.allowed import granted
from lab.driver.delivery import Delivery
from lab.errors import InputError
from lab.names import nearest, quote
from lab.places import CLOUD_INIT, ROOT
from lab.release import Needs
from lab.yaml.load import examine
from lab.yaml.problems import BadFiles, Problem, shown
from lab.yaml.tree import read_tree

__all__ = ["Catalog", "Definition", "InstanceNeeds", "load_catalog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Definitions by full name; every parent is there and no lineage is a circle."""

    definitions: Mapping[str, Definition]

    def get(self, name: str) -> Definition:
        """By full or short name; InputError with the nearest one."""
        if name in self.definitions:
            return self.definitions[name]
        for definition in self.definitions.values():
            if definition.short == name:
                return definition
        raise self._unknown(name)

    def order(self, only: Sequence[str] = ()) -> tuple[Definition, ...]:
        """Parents first, else by name. ONLY chooses some, without adding their parents."""
        chosen = {self.get(name).name for name in only} or set(self.definitions)
        graph = {
            name: {definition.parent} if definition.parent else set()
            for name, definition in sorted(self.definitions.items())
        }
        ordered = TopologicalSorter(graph).static_order()
        return tuple(self.definitions[name] for name in ordered if name in chosen)

    def released(self, only: Sequence[str] = ()) -> tuple[Definition, ...]:
        """As `order`, of those that releases are made of. InputError where ONLY names another."""
        for name in only:
            if self.get(name).abstract:
                raise self._abstract(name)
        return tuple(one for one in self.order(only) if not one.abstract)

    def lineage(self, name: str) -> tuple[Definition, ...]:
        """The root first, NAME's own definition last."""
        definition = self.get(name)
        above = self.lineage(definition.parent) if definition.parent else ()
        return (*above, definition)

    def needs(self, name: str) -> Needs:
        """What a container of NAME needs, its ancestors' needs included; the nearest wins."""
        config: dict[str, str] = {}
        devices: dict[str, Mapping[str, str]] = {}
        ports: dict[str, int] = {}
        groups: list[str] = []
        disk: str | None = None
        delivery = self.delivery(name)
        for definition in self.lineage(name):
            config.update(definition.instance.config)
            devices.update(definition.instance.devices)
            ports.update(definition.ports)
            groups += [group for group in definition.groups if group not in groups]
            disk = definition.disk or disk
        needs = Needs(
            config=config,
            devices=devices,
            groups=tuple(groups),
            disk=disk,
            ports=ports,
            delivery=delivery,
        )
        return granted(needs, name)

    def delivery(self, name: str) -> Delivery | None:
        """How NAME wants the driver's userland, by its own or its nearest ancestor's word."""
        wanted = [one.driver.delivery for one in self.lineage(name) if one.driver]
        return Delivery(wanted[-1]) if wanted else None

    def checks(self, name: str) -> tuple[Check, ...]:
        """Inherited ones first; a check of the same name replaces the inherited one."""
        found: dict[str, Check] = {}
        for definition in self.lineage(name):
            found.update({check.name: check for check in definition.checks})
        return tuple(found.values())

    def own_files(self, name: str) -> tuple[str, ...]:
        """What a container of NAME makes for itself, by its own and its ancestors' word."""
        return tuple(path for one in self.lineage(name) for path in one.own_files)

    def allowed_secrets(self, name: str) -> tuple[str, ...]:
        """Files of NAME's images that may look secret, by its own and its ancestors' word."""
        return tuple(path for one in self.lineage(name) for path in one.allow_secrets)

    def allowed_special(self, name: str) -> tuple[str, ...]:
        """Powers that files of NAME's images have on purpose, by its and its ancestors' word."""
        return tuple(path for one in self.lineage(name) for path in one.allow_special)

    def refusal(self, name: str, distro: str) -> str | None:
        """Why NAME cannot be built on DISTRO, by its own or an ancestor's word."""
        reasons = [one.refuse[distro] for one in self.lineage(name) if distro in one.refuse]
        return reasons[-1] if reasons else None

    def _unknown(self, name: str) -> InputError:
        released = self.released()
        words = [word for one in released for word in (one.name, one.short)]
        meant = nearest(name, words)
        return InputError(
            f"There is no template {quote(name)}.",
            details=f"Known: {_listed(released)}.",
            fix=f'Did you mean "{meant}"?' if meant else None,
        )

    def _abstract(self, name: str) -> InputError:
        parent = self.definitions[name]
        children = [one for one in self.released() if parent in self.lineage(one.name)]
        return InputError(
            f"{name} is abstract: no image is made from it.",
            details=f"Templates based on it: {_listed(children) or 'none yet'}.",
            fix=f"Name one of them: {children[0].short}"
            if children
            else f"Write a template whose parent is {name}, or remove `abstract` from "
            f"{shown(parent.path)}.",
        )


def _listed(definitions: Sequence[Definition]) -> str:
    return ", ".join(
        one.name if one.short == one.name else f"{one.name} ({one.short})" for one in definitions
    )


def load_catalog(
    directory: Path,
    *,
    cloud_init: Path = CLOUD_INIT,
    scripts: Path = ROOT / "images" / "scripts",
) -> Catalog:
    """All definitions of DIRECTORY; BadFiles with everything that is wrong in any of them."""
    problems = [
        Problem(path=path, text=f"is not read; rename it to {path.stem}.yaml")
        for path in directory.glob("*.yml")
    ]
    written: list[Written] = []
    for path in sorted(directory.glob("*.yaml")):
        tree = read_tree(path)
        definition, found = examine(tree, Definition, context={PATH: path})
        problems += found
        if definition is not None:
            written.append(Written(definition=definition, tree=tree))
    if not problems and not written:
        raise InputError(
            f"There are no definitions in {shown(directory)}.",
            fix="Put NAME.yaml files there, or correct `definitions:` in lab.yaml.",
        )
    unreadable = {problem.path.stem for problem in problems}
    problems += judge(written, cloud_init, scripts, unreadable=unreadable)
    if problems:
        raise BadFiles(problems)
    return Catalog(definitions={one.definition.name: one.definition for one in written})
