"""The tests' stand-ins for NVIDIA's userland speak as the real programs do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.driver.userland_sources import run_version
from tests.support.live_lab.standins import NEW, OLD, Scheme, make_debs, make_run, unpacked

Smi = Callable[..., "tuple[int, list[str]]"]
ALL = "--query-gpu=index,pci.bus_id,uuid,name,driver_version"


@pytest.fixture
def smi(tmp_path: Path) -> Smi:
    """nvidia-smi of OLD, with the nodes NODES in its /dev."""
    for file in unpacked(OLD):
        path = tmp_path / Path(file.path).name
        if file.content is None:
            path.symlink_to(file.target)
        else:
            path.write_bytes(file.content)
    dev = tmp_path / "dev"
    dev.mkdir()

    def ask(*arguments: str, nodes: str) -> tuple[int, list[str]]:
        for node in nodes.split():
            (dev / node).touch()
        ended = subprocess.run(
            ["sh", str(tmp_path / "nvidia-smi"), *arguments],
            env={"PATH": "/usr/bin:/bin", "STANDIN_DEV": str(dev), "STANDIN_LIB": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout.splitlines()

    return ask


CONTROL = "nvidiactl nvidia-simulated-535_261_03-NVIDIA_RTX_A6000"


def test_smi_lists_the_gpus_it_sees_and_numbers_them_anew(smi: Smi) -> None:
    assert smi(ALL, "--format=csv,noheader", nodes=f"{CONTROL} nvidia3 nvidia1") == (
        0,
        [
            "0, 00000000:4B:00.0, GPU-00000001-0000-0000-0000-000000000000, NVIDIA RTX A6000, "
            "535.261.03",
            "1, 00000000:CA:00.0, GPU-00000003-0000-0000-0000-000000000000, NVIDIA RTX A6000, "
            "535.261.03",
        ],
    )
    code, listed = smi("-L", nodes="")
    assert (code, len(listed)) == (0, 2)
    assert listed[0] == ("GPU 0: NVIDIA RTX A6000 (UUID: GPU-00000001-0000-0000-0000-000000000000)")
    code, table = smi(nodes="")
    assert code == 0
    assert "Driver Version: 535.261.03" in "\n".join(table)
    assert len({len(line) for line in table[1:]}) == 1


@pytest.mark.parametrize(
    ("nodes", "code", "first"),
    [
        ("", 9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "),
        ("nvidia0", 9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA "),
        (CONTROL, 6, "No devices were found"),
        (
            CONTROL.replace("535_261_03", "550_163_01") + " nvidia0",
            18,
            "Failed to initialize NVML: Driver/library version mismatch",
        ),
    ],
)
def test_smi_fails_like_the_real_one(smi: Smi, nodes: str, code: int, first: str) -> None:
    ended, said = smi(ALL, "--format=csv,noheader", nodes=nodes)
    assert ended == code
    assert said[0].startswith(first)


def test_smi_refuses_what_it_does_not_know(smi: Smi) -> None:
    nodes = f"{CONTROL} nvidia0"
    assert smi("--query-gpu=colour", "--format=csv,noheader", nodes=nodes)[0] == 2
    assert smi("--query-gpu=name", "--format=xml", nodes=nodes)[0] == 2
    assert smi("--frobnicate", nodes=nodes)[0] == 2


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        (Scheme.DEBIAN, ["libcuda1", "libnvidia-ml1", "nvidia-smi"]),
        (Scheme.UBUNTU, ["libnvidia-compute-550", "nvidia-utils-550"]),
        (Scheme.NVIDIA, ["libnvidia-compute", "nvidia-utils"]),
    ],
)
def test_packages_are_called_as_in_each_archive(
    tmp_path: Path, scheme: Scheme, names: list[str]
) -> None:
    made = sorted(make_debs(tmp_path, NEW, scheme).glob("*.deb"))
    assert [file.name.partition("_")[0] for file in made] == names
    exact = scheme.version(NEW)
    assert {_field(file, "Version") for file in made} == {exact}
    assert all("STAND-IN" in _field(file, "Description") for file in made)
    assert f"(= {exact})" in _field(made[-1], "Depends")


def _field(file: Path, name: str) -> str:
    return subprocess.run(
        ["dpkg-deb", "--field", str(file), name], check=True, capture_output=True, text=True
    ).stdout.strip()


def _installer(file: Path, *arguments: str) -> tuple[int, str]:
    ended = subprocess.run(
        ["sh", str(file), *arguments],
        env={"PATH": "/usr/bin:/bin", "STANDIN_LOG": f"{file}.log"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_the_installer_tells_its_version_and_checks_itself(tmp_path: Path) -> None:
    file = make_run(tmp_path, OLD)
    assert file.name == f"NVIDIA-Linux-x86_64-{OLD}.run"
    assert run_version(file) == OLD
    assert _installer(file, "--check")[0] == 0
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert _installer(file, "--check")[0] == 1


def test_the_installer_wants_the_options_of_a_container(tmp_path: Path) -> None:
    file = make_run(tmp_path, OLD)
    assert "--no-kernel-module" in _installer(file, "--advanced-options")[1]
    for arguments, words in (
        (["--silent", "--frobnicate", "--no-kernel-module"], "Invalid commandline"),
        (["--silent"], "kernel source tree"),
        (["--no-kernel-module"], "user interface"),
    ):
        code, said = _installer(file, *arguments)
        assert code == 1
        assert words in said
