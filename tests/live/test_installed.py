"""labstamp as it is installed, outside of a checkout: from an image to a container and its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.machine.local_daemon import lxd_directory
from lab.places import log_directory, root_in
from tests.support.builders.wheel import Installed, install_wheel
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab, ssh
from tests.support.live_lab.removing import remove_lab
from tests.support.live_lab.tiny import PREFIX, PROJECT, make_tiny

pytestmark = pytest.mark.plain

NAME = "lt-away"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install_wheel(tmp_path_factory.mktemp("installed"))


def run_by(installed: Installed, lab: Lab) -> Lab:
    """LAB, with the installed command in a directory that has nothing of it."""
    return replace(lab, root=installed.elsewhere, program=installed.program)


@pytest.fixture(scope="module")
def away(
    installed: Installed, source: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """Built there: a `base` of the admin's own definitions."""
    remove_lab(PREFIX, PROJECT)
    tiny = make_tiny(tmp_path_factory.mktemp("away"), source, name="base")
    lab = run_by(installed, tiny.lab)
    lab.succeed("build-images", "--only", "base")
    yield lab
    destroy(lab, [NAME])
    remove_lab(PREFIX, PROJECT)
    _remove_logs(installed)


def _remove_logs(installed: Installed) -> None:
    """They are where those of the server's own labstamp are, and say of which LXD they are."""
    logs = log_directory(root_in(installed.environment))
    for path in logs.glob("base-*.log"):
        if f" of LXD at {lxd_directory()}\n" in path.read_text():
            path.unlink()


def test_the_wheel_has_what_the_checkout_builds(lab: Lab, installed: Installed) -> None:
    planned = ("build-images", "--plan", "--only", "base")
    told = run_by(installed, lab).succeed(*planned).out
    assert told == lab.succeed(*planned).out
    assert "base: keep " in told


def test_a_release_is_built_there_once(away: Lab) -> None:
    (base,) = away.succeed("images", "--json").document["templates"]
    assert (base["name"], base["stale"]) == ("base", None)
    assert [(one["state"], one["smoke"]) for one in base["versions"]] == [("current", "passed")]
    said = away.succeed("build-images", "--only", "base")
    assert said.out.splitlines()[-1] == "Nothing to do."
    assert list(away.root.iterdir()) == []


def test_a_container_is_made_listed_and_removed_there(away: Lab, key: Path) -> None:
    command = ("provision", NAME, "--gpus", "none", "--key", str(key.with_suffix(".pub")))
    made = away.succeed(*command, "--json").document
    assert ssh(made["ipv4"][0], NAME, key, ["id", "-un"]).out == f"{NAME}\n"
    listed = away.succeed("list", "--json").document["containers"]
    assert [one["template"] for one in listed if one["name"] == NAME] == ["base"]
    assert "nothing was changed" in away.succeed(*command).out
    away.succeed("destroy", NAME, "--yes", "--purge")
    listed = away.succeed("list", "--json").document["containers"]
    assert NAME not in [one["name"] for one in listed]


def test_what_is_mistyped_there_is_named_and_completed(away: Lab) -> None:
    said = away.invoke("provison", NAME)
    assert (said.code, said.out) == (1, "")
    assert said.err == 'error: There is no command "provison".\nNext: Did you mean: provision\n'
    assert away.succeed("--complete", "--", "prov").out == "provision\n"
    assert away.succeed("--complete", "--", "provision", NAME, "--te").out == "--template\n"
    said = away.invoke("show", NAME)
    assert said.code == 2
    assert f"{away.program} list" in said.err
