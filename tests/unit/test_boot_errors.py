"""A failed first boot, explained by what was printed."""

from pathlib import Path

import pytest

from images.build.boot_errors import explain_boot
from images.templates.definition import PATH, Definition
from images.templates.distro import Distro, load_distro
from lab.cloudinit.sections import FAILED
from lab.errors import CheckError, InputError
from lab.yaml.load import examine
from lab.yaml.tree import read_tree

ROOT = Path(__file__).resolve().parents[2]
LOG = Path("logs/gpu.log")


@pytest.fixture
def distro() -> Distro:
    return load_distro("debian-12", ROOT / "images" / "distros")


@pytest.fixture
def definition(tmp_path: Path) -> Definition:
    path = tmp_path / "images" / "definitions" / "gpu.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("name: gpu\ndescription: x\ncloud-init: gpu.yaml.j2\npackages:\n  - nvtopp\n")
    definition, problems = examine(read_tree(path), Definition, context={PATH: path})
    assert definition is not None, problems
    return definition


def test_a_missing_package_is_found_in_the_definition(
    definition: Definition, distro: Distro
) -> None:
    output = "Reading package lists...\nE: Unable to locate package nvtopp\n"
    error = explain_boot(definition, distro, ("x",), output, LOG)
    assert isinstance(error, InputError)
    assert str(error) == (
        "gpu: apt in debian-12 has no package nvtopp.\n"
        "  images/definitions/gpu.yaml:5: nvtopp\n"
        "Next: Correct the name in that file, or map it under `names:` in "
        "images/distros/debian-12.yaml."
    )


def test_an_unreachable_mirror_is_the_lab_s_to_mend(definition: Definition, distro: Distro) -> None:
    output = "Err:1 http://m.example bookworm InRelease\n  Could not connect to m.example:80\n"
    output += "W: Failed to fetch http://m.example/dists/bookworm/InRelease  Could not connect\n"
    error = explain_boot(definition, distro, ("x",), output, LOG)
    assert isinstance(error, InputError)
    assert str(error) == (
        "gpu: the builder cannot reach the apt mirror.\n"
        "  W: Failed to fetch http://m.example/dists/bookworm/InRelease  Could not connect\n"
        "Next: Check that containers can reach the mirror, or set `mirror:` and `proxy:` in "
        "lab.yaml."
    )


def test_a_full_disk_is_told_as_such(definition: Definition, distro: Distro) -> None:
    output = "Unpacking x\ntar: x: Cannot write: No space left on device\n"
    error = explain_boot(definition, distro, ("x",), output, LOG)
    assert isinstance(error, CheckError)
    assert error.brief == "gpu: the builder ran out of disk space."


def test_anything_else_comes_with_the_excerpt_that_matters(
    definition: Definition, distro: Distro
) -> None:
    output = "".join(f"line {n}\n" for n in range(40)) + "E: Sub-process dpkg returned 1\nlast\n"
    error = explain_boot(definition, distro, ("('runcmd', …)",), output, LOG)
    assert isinstance(error, CheckError)
    assert str(error) == (
        "gpu: cloud-init failed in the builder.\n"
        "  ('runcmd', …)\n  line 37\n  line 38\n  line 39\n"
        "  E: Sub-process dpkg returned 1\n  last\n"
        "Next: Read the full log: logs/gpu.log"
    )


def test_a_version_that_apt_does_not_have(definition: Definition, distro: Distro) -> None:
    output = "E: Version '9.9' for 'nvtopp' was not found\n"
    error = explain_boot(definition, distro, ("x",), output, LOG)
    assert isinstance(error, InputError)
    assert error.brief == "gpu: apt in debian-12 has no package nvtopp."


def test_the_command_that_failed_is_named(definition: Definition, distro: Distro) -> None:
    output = f"before\nno such disk\n{FAILED} with 3: runcmd[1]: mount /data\nFailed to run\n"
    error = explain_boot(definition, distro, ("('scripts-user', …)",), output, LOG)
    assert isinstance(error, CheckError)
    assert str(error) == (
        "gpu: a command of cloud-init/gpu.yaml.j2 failed with exit code 3.\n"
        "  runcmd[1]: mount /data\n  before\n  no such disk\n"
        "Next: Correct that command, or write `|| true` after a command that may fail. Read the "
        "full log: logs/gpu.log"
    )
