"""What all contenders are given: the same packages, the same plain image, the same driver."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from images.templates.lab_files import LabFiles, read_lab_files
from lab.lxd.privilege import without_limits
from lab.settings.settings import Settings

PLAIN = "bench-plain"
"""The alias of the plain image, and the name of a stopped instance made from it."""
DRIVERS = ("535.261.03", "550.163.01")
"""The first is in the cold build, the second comes with the driver change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as one list of packages, for those who know no inheritance."""

    name: str
    parent: str | None
    own: tuple[str, ...]
    packages: tuple[str, ...]
    """Those of its ancestors first."""
    config: Mapping[str, str]
    """What its instances need of LXD."""
    abstract: bool = False
    """Whether it is there for those made on top of it, and has no image."""


def read_files(root: Path) -> LabFiles:
    """The checkout's definitions, for the distribution of this host."""
    return read_lab_files(root, Settings())


def read_templates(files: LabFiles) -> tuple[Template, ...]:
    """All templates, parents first, with labstamp's own lists of packages."""
    found = []
    for definition in files.catalog.order():
        lineage = files.catalog.lineage(definition.name)
        every = [name for one in lineage for name in files.distro.packages(one.packages)]
        found.append(
            Template(
                name=definition.name,
                parent=definition.parent,
                own=files.distro.packages(definition.packages),
                packages=tuple(dict.fromkeys(every)),
                # Not every LXD may raise a limit of processes, and no build needs one.
                config=without_limits(files.catalog.needs(definition.name).config),
                abstract=definition.abstract,
            )
        )
    return tuple(found)


def make_driver(directory: Path, version: str) -> Path:
    """A directory with one .deb that stands in for NVIDIA's userland of VERSION."""
    packages, tree = directory / f"debs-{version}", directory / f"tree-{version}"
    if packages.exists():
        return packages
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: standin-nvidia-userland\nVersion: {version}-1\nArchitecture: all\n"
        "Maintainer: labstamp <bench@lab.invalid>\nDescription: stand-in, for benchmarks only\n",
        encoding="utf-8",
    )
    program = tree / "usr/bin/standin-driver-version"
    program.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
    program.chmod(0o755)
    # By whose name labstamp knows that the version is there.
    library = tree / f"usr/lib/x86_64-linux-gnu/libnvidia-ml.so.{version}"
    library.parent.mkdir(parents=True)
    library.write_text("a stand-in\n", encoding="utf-8")
    packages.mkdir()
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(packages / "userland.deb")],
        check=True,
        capture_output=True,
    )
    return packages
