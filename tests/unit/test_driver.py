"""The host's driver version, as LXD tells it and as the kernel modules of NVIDIA word it."""

from pathlib import Path

import pytest

from lab.driver.version import host_driver, module_version
from tests.support.builders.four_gpus import FOUR
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu Jul 10 00:00:00 UTC "
            "2025\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
            "535.261.03",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.163.01  Release Build  "
            "(dvs-builder@U22)  Tue Apr  8 12:41:17 UTC 2025\n",
            "550.163.01",
        ),
        (
            # Of a server with an H100; its distribution builds the module by itself.
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  "
            "(nixbld@)  \nGCC version:  gcc version 15.3.0 (GCC) \n",
            "580.159.04",
        ),
        ("something else\n", None),
    ],
)
def test_the_version_is_read(tmp_path: Path, text: str, version: str | None) -> None:
    module = tmp_path / "version"
    module.write_text(text)
    assert module_version(module) == version
    assert host_driver(FakeLxd(), local=True, module=module) == version
    # Of the machine that LXD is on, these files say nothing.
    assert host_driver(FakeLxd(), local=False, module=module) is None


def test_no_module_is_no_driver(tmp_path: Path) -> None:
    assert module_version(tmp_path / "version") is None


def test_what_lxd_says_counts_first(tmp_path: Path) -> None:
    module = tmp_path / "version"
    module.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu\n")
    lxd = FakeLxd()
    lxd.host_gpus = FOUR
    assert host_driver(lxd, local=True, module=module) == FOUR[0].driver
    assert host_driver(lxd, local=False, module=module) == FOUR[0].driver
