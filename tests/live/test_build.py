"""Images built by the command line on a real LXD."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.live_lab.lab import ROOT, Lab, instances, lxc, query, stable
from tests.support.live_lab.making import BUILD_PROJECT, PREFIX
from tests.support.live_lab.standins import OLD

SHORT = {
    "base": "base",
    "docker-nested": "docker",
    "gnome-xrdp": "gnome",
    "xfce-xrdp": "xfce",
}
DELIVERY = f"driver {OLD} by image: set in lab.yaml"


def test_a_release_is_current_judged_and_described(lab: Lab) -> None:
    templates = {one["name"]: one for one in lab.succeed("images", "--json").document["templates"]}
    assert "desktop" not in templates
    for name, short in SHORT.items():
        assert templates[name]["short"] == short
        assert templates[name]["stale"] is None
        version = templates[name]["versions"][0]
        assert version["state"] == "current"
        assert version["smoke"] == "passed"
        assert version["fingerprint"] == stable(f"{PREFIX}/{name}")
        assert version["fingerprint"] == stable(f"{PREFIX}/{name}/{version['version']}")
        assert version["driver"] == OLD
        assert version["size_bytes"] > 50 * 1024**2


def test_a_build_leaves_bodies_and_nothing_else(lab: Lab) -> None:
    left = instances(BUILD_PROJECT)
    # That of `desktop` is kept for its children; nobody gets an image of it.
    assert [name for name in left if not name.startswith("source-")] == [
        f"body-{name}" for name in sorted([*SHORT, "desktop"])
    ]
    images = query("/1.0/images?recursion=1")
    assert [one["fingerprint"] for one in images if "lab.source" in one["properties"]] == []


def test_an_unchanged_tree_is_nothing_to_do(lab: Lab) -> None:
    (ROOT / "cloud-init" / "base.yaml.j2").touch()
    before = query("/1.0/images/aliases?recursion=1")
    said = lab.succeed("build-images")
    assert said.out.splitlines()[-1] == "Nothing to do."
    assert query("/1.0/images/aliases?recursion=1") == before


@pytest.fixture
def edited(lab: Lab, tmp_path: Path) -> tuple[Lab, Path]:
    """The same lab with cloud-init sources that a test may change."""
    sources = tmp_path / "cloud-init"
    shutil.copytree(ROOT / "cloud-init", sources)
    return lab.also(tmp_path / "lab.yaml", cloud_init=sources), sources


def _change(path: Path) -> None:
    path.write_text(path.read_text() + "# a line more\n")


def test_a_changed_child_rebuilds_alone_and_says_why(edited: tuple[Lab, Path]) -> None:
    lab, sources = edited
    _change(sources / "docker.yaml.j2")
    said = lab.succeed("build-images", "--plan", "--only", "base,docker")
    version = _version(lab, "base")
    assert said.out.splitlines() == [
        DELIVERY,
        f"base: keep {version}, nothing changed",
        "docker-nested: build, cloud-init/docker.yaml.j2 changed",
    ]


def test_a_changed_base_rebuilds_both_and_says_why(edited: tuple[Lab, Path]) -> None:
    lab, sources = edited
    _change(sources / "base.yaml.j2")
    said = lab.succeed("build-images", "--plan", "--only", "base,docker")
    assert said.out.splitlines() == [
        DELIVERY,
        "base: build, cloud-init/base.yaml.j2 changed",
        "docker-nested: build, base is rebuilt",
    ]
    stale = lab.succeed("images", "--json").document["templates"]
    assert {one["name"]: one["stale"] for one in stale}["base"] == "cloud-init/base.yaml.j2 changed"


def _version(lab: Lab, template: str) -> str:
    templates = lab.succeed("images", "--json").document["templates"]
    versions = next(one["versions"] for one in templates if one["name"] == template)
    return str(next(one["version"] for one in versions if one["state"] == "current"))


def test_the_table_shows_what_an_admin_looks_for(lab: Lab) -> None:
    out = lab.succeed("images").out
    for word in ("docker-nested (docker)", "current", "passed", _version(lab, "base")):
        assert word in out


def test_a_published_image_carries_its_provenance(lab: Lab) -> None:
    fingerprint = stable(f"{PREFIX}/docker-nested")
    properties = query(f"/1.0/images/{fingerprint}")["properties"]
    assert properties["lab.template"] == "docker-nested"
    assert properties["lab.parent"] == "base"
    assert properties["lab.distro"].startswith(("debian-", "ubuntu-"))
    assert not properties.get("lab.builder")
    assert (
        lxc(
            "config", "get", "body-docker-nested", "cloud-init.user-data", project=BUILD_PROJECT
        ).strip()
        == ""
    )
