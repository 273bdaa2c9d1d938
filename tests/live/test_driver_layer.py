"""A driver update rebuilds the last layer alone, with a stand-in for NVIDIA's packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.live.lab import Said, lxc, query
from tests.live.tiny import PROJECT, STABLE, Tiny

OLD, NEW = "535.261.03", "550.163.01"


def stand_in(directory: Path, version: str) -> Path:
    """A directory with one .deb that stands in for the userland of VERSION."""
    packages, tree = directory / f"debs-{version}", directory / f"tree-{version}"
    packages.mkdir()
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: standin-nvidia-userland\nVersion: {version}-1\nArchitecture: all\n"
        "Maintainer: labstamp tests <tests@lab.invalid>\nDescription: stand-in, for tests only\n"
    )
    program = tree / "usr/bin/standin-driver-version"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(packages / "userland.deb")],
        check=True,
        capture_output=True,
    )
    return packages


def _with_driver(tiny: Tiny, directory: Path, version: str) -> None:
    packages = directory / f"debs-{version}"
    if not packages.exists():
        stand_in(directory, version)
    tiny.define(
        checks=[
            {
                "name": "the driver is there",
                "kind": "command",
                "run": ["standin-driver-version"],
                "stdout": "^[0-9.]+$",
            },
            {
                "name": "the driver is held",
                "kind": "command",
                "run": ["apt-mark", "showhold"],
                "stdout": "^standin-nvidia-userland$",
            },
        ]
    )
    tiny.set(
        source=_source(tiny),
        driver={"delivery": "image", "version": version, "packages": str(packages)},
    )


def _driver_in(image: str, directory: Path) -> str:
    """The stand-in's program as a container of IMAGE has it."""
    lxc("init", image, "lt-look")
    try:
        lxc("file", "pull", "lt-look/usr/bin/standin-driver-version", str(directory / "program"))
    finally:
        lxc("delete", "lt-look")
    return (directory / "program").read_text()


def _source(tiny: Tiny) -> object:
    return json.loads(tiny.lab.settings.read_text())["source"]


def _builds(said: Said) -> list[str]:
    return [line.split(" ", 1)[1] for line in said.err.splitlines() if ": build" in line]


def test_a_driver_update_keeps_the_body_and_says_so(tiny: Tiny, tmp_path: Path) -> None:
    _with_driver(tiny, tmp_path, OLD)
    tiny.lab.succeed("build-images")
    body = query(f"/1.0/instances/body-tiny?project={PROJECT}")["created_at"]
    first = tiny.release()
    _with_driver(tiny, tmp_path, NEW)
    said = tiny.lab.succeed("build-images")
    (why,) = _builds(said)
    assert why.startswith(f"tiny: build (its body is kept), driver {OLD} → {NEW}")
    assert query(f"/1.0/instances/body-tiny?project={PROJECT}")["created_at"] == body
    assert tiny.release() != first
    assert _driver_in(STABLE, tmp_path) == f"#!/bin/sh\necho {NEW}\n"
    (template,) = tiny.lab.succeed("images", "--json").document["templates"]
    assert [one["driver"] for one in template["versions"]][:2] == [NEW, OLD]
    assert "layer-tiny" not in lxc("list", "-f", "csv", "-c", "n", project=PROJECT).split()
    assert tiny.lab.succeed("build-images").out.splitlines()[-1] == "Nothing to do."


def test_a_driver_without_packages_is_told_before_anything_is_made(
    tiny: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    tiny.set(
        source=_source(tiny),
        driver={"delivery": "image", "version": NEW, "packages": str(tmp_path / "empty")},
    )
    before = tiny.release()
    said = tiny.lab.invoke("build-images")
    assert said.code == 2
    assert said.err.splitlines()[-3:] == [
        f"error: There is no .deb of driver {NEW} to put into images.",
        f"  {tmp_path}/empty holds none.",
        "Next: Set `driver: {packages: DIRECTORY}` in lab.yaml to a directory of .deb files.",
    ]
    assert tiny.release() == before
