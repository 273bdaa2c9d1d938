"""What differs from distribution to distribution: one file of images/distros/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from lab.errors import InputError
from lab.machine.host import os_release
from lab.names import nearest, quote
from lab.settings.source import Source
from lab.yaml.load import examine
from lab.yaml.model import Package, StrictModel, Word
from lab.yaml.problems import BadFiles
from lab.yaml.tree import read_tree

AUTO = "auto"


class Distro(StrictModel):
    """A release of Debian or Ubuntu that images can be made of."""

    name: Word
    """`debian-12`: family and release."""
    family: Literal["debian", "ubuntu"]
    release: str
    codename: Word
    source: Source
    components: tuple[Word, ...] = ("main",)
    """Of the archive, in the image's apt sources."""
    suites: tuple[Word, ...]
    """On the main mirror, the release itself first."""
    security_suite: Word
    keyring: Path
    """The archive's keys inside the image."""
    names: Mapping[str, tuple[Package, ...]] = Field(default_factory=dict)
    """A package name in a definition → what it is called here; empty: not there, not needed."""

    def packages(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """WANTED as this distribution calls them, each once. InputError where one is unclear."""
        named = (name for word in wanted for name in self._named(word))
        return tuple(dict.fromkeys(named))

    def _named(self, word: str) -> tuple[str, ...]:
        if word in self.names:
            return self.names[word]
        # `NAME=VERSION`, `NAME/RELEASE`: of the package that the name stands for here.
        name = re.split("[=/]", word, maxsplit=1)[0]
        found = self.names.get(name, (name,))
        if len(found) != 1:
            raise InputError(
                f"{word}: on {self.name} {name} is {', '.join(found) or 'not there'}, so it is "
                "not known which package has that version.",
                fix=f"Name the package itself, or map {word} under `names:` in "
                f"images/distros/{self.name}.yaml.",
            )
        return (found[0] + word[len(name) :],)


def load_distro(
    name: str, directory: Path, os_release_path: Path = Path("/etc/os-release")
) -> Distro:
    """By NAME; `auto` is the host's own, whose archive has the same drivers as the host."""
    known = distro_names(directory)
    if name == AUTO:
        name = _host_distro(known, os_release_path)
    if name not in known:
        meant = nearest(name, known)
        raise InputError(
            f"There is no distribution {quote(name)}.",
            details=f"Known: {', '.join(known)}.",
            fix=f'Did you mean "{meant}"? It is set by `distribution:` in lab.yaml.'
            if meant
            else "Correct `distribution:` in lab.yaml.",
        )
    return _load(directory / f"{name}.yaml")


def distro_names(directory: Path) -> tuple[str, ...]:
    """The distributions there are files for."""
    return tuple(sorted(path.stem for path in directory.glob("*.yaml")))


def _host_distro(known: Iterable[str], path: Path) -> str:
    host = os_release(path)
    name = f"{host.get('ID', 'unknown')}-{host.get('VERSION_ID', 'unknown')}"
    if name in known:
        return name
    told = host.get("PRETTY_NAME") or "of an unknown release"
    raise InputError(
        f"This host is {told}, and images of it are not supported.",
        details=f"Known: {', '.join(known)}.",
        fix="Choose one with `distribution:` in lab.yaml.",
    )


def _load(path: Path) -> Distro:
    tree = read_tree(path)
    distro, problems = examine(tree, Distro)
    if distro is None:
        raise BadFiles(problems)
    if distro.name != path.stem:
        text = f"name: must be that of the file, {path.stem}, not {distro.name}"
        raise BadFiles([tree.problem(("name",), text)])
    return distro
