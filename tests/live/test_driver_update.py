"""The host's driver moves on: all four templates follow, by the one command that users type."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.live_lab.gpu_host import GpuHost
from tests.support.live_lab.lab import Lab, lxc, query, stable
from tests.support.live_lab.making import BUILD_PROJECT, PREFIX
from tests.support.live_lab.standins import NEW, OLD

TEMPLATES = ("base", "docker-nested", "gnome-xrdp", "xfce-xrdp")


@pytest.fixture
def lab_as_it_was(lab: Lab, gpu_host: GpuHost) -> Iterator[Lab]:
    """For other tests the newest releases are the current ones, and fit the host."""
    before = _releases()
    yield lab
    gpu_host.driver(OLD)
    for template, fingerprint in _releases().items():
        if fingerprint != before[template]:
            lab.succeed("rollback", template)
            lxc("image", "delete", str(fingerprint))


def test_the_driver_layers_of_all_templates_are_made_anew_judged_and_given_to_users(
    lab_as_it_was: Lab, gpu_host: GpuHost
) -> None:
    lab = lab_as_it_was
    releases, bodies = _releases(), _bodies()
    assert gpu_host.driver_version() == OLD
    gpu_host.driver(NEW)
    assert _drift(lab) == dict.fromkeys(TEMPLATES, (OLD, True))
    said = lab.succeed("build-images")
    for name in TEMPLATES:
        assert f"{name}: build (its body is kept), driver {OLD} → {NEW}" in said.err
    assert _bodies() == bodies
    assert not set(_releases().values()) & set(releases.values())
    for template in lab.succeed("images", "--json").document["templates"]:
        now = template["versions"][0]
        assert (now["driver"], now["smoke"], now["gpu"]) == (NEW, "passed", "passed")
    assert _drift(lab) == dict.fromkeys(TEMPLATES, (NEW, False))
    # What is printed of the time; ci/bench measures it beside others.
    phases = re.findall(rf" (driver {re.escape(NEW)}|pack|publish|check) +\d+\.\d", said.out)
    assert len(phases) == 4 * len(TEMPLATES)


def _drift(lab: Lab) -> dict[str, tuple[str, bool]]:
    """Template → its release's driver, and whether that is not the host's."""
    told = lab.succeed("drivers", "--json").document
    return {one["template"]: (one["driver"], one["drift"]) for one in told["images"]}


def _releases() -> dict[str, str | None]:
    """Template → fingerprint that users get."""
    return {name: stable(f"{PREFIX}/{name}") for name in TEMPLATES}


def _bodies() -> dict[str, str]:
    """Body → when it was made."""
    found = query(f"/1.0/instances?recursion=1&project={BUILD_PROJECT}")
    bodies = [one for one in found if one["name"].startswith("body-")]
    # That of `desktop` beside them, which has no release.
    assert len(bodies) == len(TEMPLATES) + 1
    return {one["name"]: one["created_at"] for one in bodies}
