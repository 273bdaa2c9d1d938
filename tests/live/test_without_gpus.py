"""The main thread on a host without GPUs, which is what a newcomer has: build, check, log in.

Where there are no GPUs a build has no pause for their driver: what a first boot does late meets
the cleaning, and what users get is packed as soon as it stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provision.backup.verify import PROJECT as VERIFY_PROJECT
from tests.support.live_lab.gpu_host import where_lxd_is
from tests.support.live_lab.lab import Lab, query, ssh, stable
from tests.support.live_lab.making import BUILD_PROJECT, PREFIX
from tests.support.live_lab.own_lxd import directory, run_sandbox
from tests.support.parts import PLAIN, part

BRIDGE = "labplain0"
ANN = "lp-ann"
pytestmark = [pytest.mark.plain, pytest.mark.lab]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A lab with base, on an LXD that has no GPUs, and what its building SAID."""

    lab: Lab
    said: str


@pytest.fixture(scope="module")
def plain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plain]:
    """The part's own; else on an LXD of its own, as `ci/up` would leave it."""
    if part() == PLAIN:
        lab = request.getfixturevalue("lab")
        yield Plain(lab=lab, said=request.getfixturevalue("making").said())
        return
    lxd = directory("plain")
    settings = tmp_path_factory.mktemp("plain") / "lab.yaml"
    keys = {"alias-prefix": PREFIX, "build-project": BUILD_PROJECT, "network": BRIDGE}
    settings.write_text(json.dumps(keys))
    lab = Lab(settings=settings)
    try:
        run_sandbox(lxd, "start")
        with pytest.MonkeyPatch.context() as here:
            here.setenv("LXD_DIR", str(lxd))
            lab.succeed("host.setup", "--only-lxd")
            yield Plain(lab=lab, said=lab.succeed("build-images", "--only", "base").err)
    finally:
        run_sandbox(lxd, "stop", check=False)
        shutil.rmtree(lxd, ignore_errors=True)


def test_base_is_built_checked_and_given_to_users(plain: Plain) -> None:
    lab = plain.lab
    assert where_lxd_is(lab.environment({}), lab.root) == ()
    # Other tests of this part may have checked backups.
    projects = {one.rpartition("/")[2] for one in query("/1.0/projects")} - {VERIFY_PROJECT}
    assert projects == {"default", BUILD_PROJECT}
    (told,) = (
        line for line in plain.said.splitlines() if "base: " in line and " is current, " in line
    )
    assert ", passed (" in told
    documents = lab.succeed("images", "--json").document["templates"]
    (base,) = [one for one in documents if one["name"] == "base"]
    (version,) = base["versions"]
    assert (base["stale"], version["state"], version["smoke"]) == (None, "current", "passed")
    assert (version["driver"], version["gpu"]) == (None, "skipped")
    assert stable(f"{PREFIX}/base") is not None
    again = lab.succeed("build-images", "--only", "base")
    assert again.out.splitlines()[-1] == "Nothing to do."


@pytest.fixture
def ann(plain: Plain, key: Path) -> Iterator[dict[str, Any]]:
    """What `provision --json` told of a container of base."""
    lab, public = plain.lab, str(key.with_suffix(".pub"))
    made = lab.succeed("provision", ANN, "--template", "base", "--key", public, "--json")
    yield made.document
    lab.succeed("destroy", ANN, "--yes", "--purge")


def test_a_person_logs_in(plain: Plain, ann: dict[str, Any], key: Path) -> None:
    lab = plain.lab
    assert (ann["gpus"], ann["driver"], ann["drift"]) == ([], None, False)
    asked = "id -un; sudo -n id -un; systemctl is-system-running; ls /dev | grep -c nvidia"
    said = ssh(ann["ipv4"][0], ann["owner"], key, [asked])
    assert said.out.split() == [ANN, "root", "running", "0"], said.err
    listed = lab.succeed("list", "--json").document["containers"]
    assert [one["name"] for one in listed] == [ANN]
    again = lab.succeed(
        *("provision", ANN, "--template", "base", "--key", str(key.with_suffix(".pub")))
    )
    assert "It is as requested; nothing was changed" in again.out + again.err
