"""A driver update rebuilds the last layer alone, and no release that does not fit is for users."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.live_lab.driven import (
    SMI,
    decisions,
    drive,
    inside,
    newest,
    pack_inside,
    running,
    runs,
)
from tests.support.live_lab.gpu_host import GpuHost
from tests.support.live_lab.lab import instances, lxc, query
from tests.support.live_lab.standins import NEW, OLD, make_debs
from tests.support.live_lab.tiny import PROJECT, Tiny, litter

HELD = runs("held", "apt-mark", "showhold", shows="^nvidia-smi$")


def _with_packages(tiny: Tiny, directory: Path, **driver: object) -> None:
    for version in (OLD, NEW):
        make_debs(directory, version)
    drive(tiny, HELD, packages=f"{directory}/debs-{{version}}", **driver)


def test_a_driver_update_keeps_the_body_and_says_so(
    tiny: Tiny, gpu_host: GpuHost, tmp_path: Path
) -> None:
    _with_packages(tiny, tmp_path)
    pack_inside(tiny)
    planned = tiny.lab.succeed("build-images", "--plan").out.splitlines()
    assert planned[0] == f"driver {OLD} by image: set in lab.yaml"
    tiny.lab.succeed("build-images")
    body = query(f"/1.0/instances/body-tiny?project={PROJECT}")["created_at"]
    first, was = tiny.release(), newest(tiny)
    assert (was["driver"], was["smoke"], was["gpu"]) == (OLD, "passed", "passed")
    gpu_host.driver(NEW)
    (template,) = tiny.lab.succeed("images", "--json").document["templates"]
    assert template["stale"].startswith(f"driver {OLD} → {NEW}")
    # What users get does not fit any more, and its check says so in nvidia-smi's own words.
    judged = tiny.lab.invoke("smoke-images")
    assert judged.code == 5
    assert "Failed to initialize NVML: Driver/library version mismatch" in judged.err
    assert newest(tiny)["gpu"] == "failed"
    (why,) = decisions(tiny.lab.succeed("build-images"))
    assert why.startswith(f"tiny: build (its body is kept), driver {OLD} → {NEW}")
    assert query(f"/1.0/instances/body-tiny?project={PROJECT}")["created_at"] == body
    _packed_little(tiny)
    assert tiny.release() != first
    now = newest(tiny)
    assert (now["driver"], now["smoke"], now["gpu"]) == (NEW, "passed", "passed")
    with running():
        assert NEW in inside("sh", "-c", "ls /usr/lib/*/libnvidia-ml.so.*")
        assert OLD not in inside("sh", "-c", "ls /usr/lib/*/libnvidia-ml.so.*")
    assert not [name for name in instances(PROJECT) if name.startswith(("layer-", "check-"))]
    assert tiny.lab.succeed("build-images").out.splitlines()[-1] == "Nothing to do."
    _no_way_back(tiny, was["version"])


def _packed_little(tiny: Tiny) -> None:
    """Not the body again, but what the driver changed."""
    told = re.search(r"(\d+) of (\d+) files changed or new, 0 gone", tiny.kept_log())
    assert told is not None, tiny.kept_log()
    changed, every = map(int, told.groups())
    assert 0 < changed < every / 50


def _no_way_back(tiny: Tiny, old: str) -> None:
    """Neither of the ways to make OLD current again."""
    before = tiny.release()
    back = tiny.lab.invoke("rollback", "tiny")
    assert back.code == 2
    assert f"  {old} (failed, checks: failed)" in back.err.splitlines()
    promoted = tiny.lab.invoke("promote", "tiny", old)
    assert promoted.code == 2
    assert promoted.err.splitlines()[-2:] == [
        f"error: tiny {old} cannot be used on this host: it has driver {OLD}, and this host's "
        f"kernel module is {NEW}.",
        "Next: Make one that fits: invoke build-images --only tiny",
    ]
    assert tiny.release() == before


def test_a_version_that_is_not_the_hosts_is_never_built(
    tiny: Tiny, gpu_host: GpuHost, tmp_path: Path
) -> None:
    _with_packages(tiny, tmp_path, version=NEW)
    for options in ([], ["--no-smoke"], ["--plan"]):
        said = tiny.lab.invoke("build-images", *options)
        assert said.code == 2
        assert f"is not the version of this host's kernel module, {OLD}" in said.err
    assert tiny.release() is None
    assert gpu_host.driver_version() == OLD


def test_an_imported_release_that_does_not_fit_says_so(
    tiny: Tiny, gpu_host: GpuHost, tmp_path: Path
) -> None:
    _with_packages(tiny, tmp_path)
    tiny.lab.succeed("build-images")
    version, file = newest(tiny)["version"], tmp_path / "tiny.labimage"
    tiny.lab.succeed("export-image", "tiny", str(file))
    fingerprint = tiny.release()
    assert fingerprint is not None
    lxc("image", "delete", fingerprint)
    gpu_host.driver(NEW)
    said = tiny.lab.succeed("import-image", str(file)).out
    assert f"it has driver {OLD}, and this host's kernel module is {NEW}" in said
    assert "invoke build-images --only tiny" in said
    assert tiny.lab.invoke("promote", "tiny", version).code == 2
    assert tiny.release() is None


def test_a_template_may_do_without(tiny: Tiny, gpu_host: GpuHost, tmp_path: Path) -> None:
    _with_packages(tiny, tmp_path)
    tiny.define(checks=[SMI], driver={"delivery": "none"})
    assert gpu_host.driver_version() == OLD
    planned = tiny.lab.succeed("build-images", "--plan").out.splitlines()
    assert planned[0] == "no driver inside: set in the template's definition"
    tiny.lab.succeed("build-images")
    # Nobody asked nvidia-smi, and nobody says it had passed.
    assert (newest(tiny)["driver"], newest(tiny)["gpu"]) == (None, "skipped")
    judged = tiny.lab.succeed("smoke-images").out
    assert "(skipped)" in judged
    assert litter() == []


def test_a_driver_without_packages_is_told_before_anything_is_made(
    tiny: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    drive(tiny, version=OLD, packages=str(tmp_path / "empty"))
    before = tiny.release()
    said = tiny.lab.invoke("build-images")
    assert said.code == 2
    assert said.err.splitlines()[-3:] == [
        f"error: There is no .deb file of driver {OLD}.",
        f"  The directory {tmp_path}/empty contains no .deb file.",
        "Next: Set `driver: {packages: DIRECTORY}` in lab.yaml to a directory of .deb files.",
    ]
    assert tiny.release() == before
