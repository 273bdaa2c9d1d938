"""A host whose driver moved on, and releases that did not."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.live_lab.gpu_containers import BUS_IDS, destroy, exists, inside
from tests.support.live_lab.gpu_host import GpuHost
from tests.support.live_lab.lab import ROOT
from tests.support.live_lab.standins import NEW, OLD, make_debs
from tests.support.live_lab.tiny import Tiny


def test_a_release_that_drifts_is_given_to_nobody_and_built_where_the_lab_says_so(
    tiny: Tiny, source: dict[str, str], key: Path, gpu_host: GpuHost, tmp_path: Path
) -> None:
    for version in (OLD, NEW):
        make_debs(tmp_path, version)
    driver = {"delivery": "image", "packages": str(tmp_path / "debs-{version}")}
    shutil.copy(ROOT / "cloud-init" / "container.yaml.j2", tiny.directory / "cloud-init")
    tiny.set(source=source, driver=driver)
    tiny.lab.succeed("build-images")
    gpu_host.driver(NEW)
    wish = (
        "provision",
        "gt-n",
        "--template",
        "tiny",
        "--gpus",
        "1",
        "--key",
        str(key.with_suffix(".pub")),
    )
    try:
        said = tiny.lab.invoke(*wish)
        assert said.code == 2
        assert f"is for driver {OLD}, the host runs {NEW}." in said.err
        assert "Next: invoke build-images --only tiny\n" in said.err
        assert not exists("gt-n")
        tiny.set(source=source, driver={**driver, "on-drift": "build"})
        assert "build tiny for the host's driver" in tiny.lab.succeed(*wish, "--plan").out
        made = tiny.lab.succeed(*wish, "--json").document
        assert (made["driver"], made["drift"]) == (NEW, False)
        assert len(inside("gt-n", *BUS_IDS).splitlines()) == 1
    finally:
        destroy(tiny.lab, ["gt-n"])
