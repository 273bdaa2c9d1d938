"""userland.sh with stand-ins for apt and NVIDIA's installer: what stays when a step fails."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.driver.installation import SCRIPT

OLD_PINS, NEW_PINS = "pins of before\n", "pins of this version\n"
# They write down what they were asked for; FAILS is a word that makes apt-get fail.
TOOLS = {
    "apt-get": 'echo "apt-get $*" >>"$RAN"\ncase " $* " in *" $FAILS "*) exit 100 ;; esac',
    "apt-mark": 'echo "apt-mark $*" >>"$RAN"',
    # Installed: all but what the test says is gone.
    "dpkg-query": 'case "$*" in *"$GONE"*) exit 1 ;; *) echo "ii " ;; esac',
    "find": "exit 0",
    "ldconfig": 'echo ldconfig >>"$RAN"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A container's root, as far as the script writes to it."""

    root: Path
    environment: dict[str, str]

    @property
    def pins(self) -> Path:
        return self.root / "preferences.d/labstamp-nvidia"

    @property
    def ran(self) -> list[str]:
        """Without apt-get's options."""
        lines = (self.root / "ran").read_text().splitlines()
        return [
            " ".join(word for word in line.split() if "::" not in word and word not in GENERAL)
            for line in lines
        ]

    def run(
        self, *argv: str | Path, fails: str = "-", gone: str = "none"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.root / "userland.sh", *argv],
            env={**self.environment, "FAILS": fails, "GONE": gone},
            capture_output=True,
            text=True,
            check=False,
        )


GENERAL = {
    *("--yes", "--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"),
    "-o",
}


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    (tmp_path / "preferences.d").mkdir()
    script = SCRIPT.read_text()
    assert "/etc/apt/preferences.d" in script
    (tmp_path / "userland.sh").write_text(
        script.replace("/etc/apt/preferences.d", str(tmp_path / "preferences.d"))
    )
    (tmp_path / "bin").mkdir()
    for name, body in TOOLS.items():
        tool = tmp_path / "bin" / name
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
    (tmp_path / "new").write_text(NEW_PINS)
    return Inside(
        root=tmp_path,
        environment={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "RAN": str(tmp_path / "ran"),
            "TMPDIR": str(tmp_path),
        },
    )


def installer(inside: Inside, exit_code: int) -> Path:
    file = inside.root / "driver.run"
    file.write_text(
        f'case "$*" in *--advanced-options*) echo --skip-depmod; exit ;; esac\n'
        f'echo "installer $*" >>"$RAN"\nexit {exit_code}\n'
    )
    return file


def test_a_simulation_leaves_the_pins_as_they_were(inside: Inside) -> None:
    new = inside.root / "new"
    assert inside.run("simulate", new, "libcuda1=550").returncode == 0
    assert not inside.pins.exists()
    inside.pins.write_text(OLD_PINS)
    assert inside.run("simulate", new, "libcuda1=550", fails="--simulate").returncode == 100
    assert inside.pins.read_text() == OLD_PINS
    assert inside.ran == ["apt-get install --simulate libcuda1=550"] * 2


def test_an_installation_fetches_all_before_it_changes_anything(inside: Inside) -> None:
    new = inside.root / "new"
    assert inside.run("install", new, "a b", "a=550", "c-").returncode == 0
    assert inside.ran == [
        "apt-get install --download-only a=550 c-",
        "apt-get install a=550 c-",
        "apt-mark hold a b",
        "ldconfig",
    ]
    assert inside.pins.read_text() == NEW_PINS


def test_where_nothing_is_to_be_done_only_pins_and_holds_are_set(inside: Inside) -> None:
    assert inside.run("install", inside.root / "new", "a").returncode == 0
    assert inside.ran == ["apt-mark hold a", "ldconfig"]
    assert inside.pins.read_text() == NEW_PINS


@pytest.mark.parametrize("fails", ["--download-only", "a=550"])
def test_pins_are_put_back_when_apt_fails(inside: Inside, fails: str) -> None:
    inside.pins.write_text(OLD_PINS)
    assert inside.run("install", inside.root / "new", "a", "a=550", fails=fails).returncode == 100
    assert inside.pins.read_text() == OLD_PINS
    assert not any(line.startswith("apt-mark") for line in inside.ran)


def test_a_second_start_does_not_remove_what_is_gone(inside: Inside) -> None:
    """apt would fail: it knows no such package any more."""
    assert inside.run("install", inside.root / "new", "", "a=550", "c-", gone="c").returncode == 0
    assert "apt-get install a=550" in inside.ran


def test_nvidias_installer_gets_the_options_that_it_knows(inside: Inside) -> None:
    file = installer(inside, 0)
    assert inside.run("run", inside.root / "new", file, "kmod", "libcuda1-").returncode == 0
    (started,) = [line for line in inside.ran if line.startswith("installer")]
    assert "--no-kernel-module" in started
    assert started.endswith("--skip-depmod")
    assert inside.ran[:2] == [
        "apt-get install --download-only kmod libcuda1-",
        "apt-get install kmod libcuda1-",
    ]
    assert inside.pins.read_text() == NEW_PINS


@pytest.mark.parametrize("before", [None, OLD_PINS])
def test_pins_are_put_back_when_nvidias_installer_fails(inside: Inside, before: str | None) -> None:
    if before is not None:
        inside.pins.write_text(before)
    said = inside.run("run", inside.root / "new", installer(inside, 1), "libcuda1-")
    assert said.returncode == 1
    assert (inside.pins.read_text() if inside.pins.exists() else None) == before
    # Nor does anything of the script stay.
    assert not list(inside.root.glob("tmp.*"))
