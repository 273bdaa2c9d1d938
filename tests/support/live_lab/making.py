"""The lab of the live tests, made while those tests run that need no lab."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from tests.support.live_lab.lab import Lab
from tests.support.live_lab.removing import remove_lab
from tests.support.live_lab.standins import NEW, OLD, for_any_host, make_debs
from tests.support.parts import BUILDS, PLAIN, part

PREFIX: Final = "labtest"
BUILD_PROJECT: Final = "labtest-build"
_PATIENCE: Final = 1800
_ONLY: Final = {PLAIN: ("--only", "base,docker"), BUILDS: ("--only", "base", "--no-smoke")}
"""What the parts without GPUs build; the other one builds all. Base is checked in `plain`."""


class Making:
    """All four templates, built from nothing by one plain command, with the host's userland.

    In the part `plain`: base and docker-nested, as a newcomer has it; in `builds`: base.
    """

    def __init__(self, directory: Path) -> None:
        only = _ONLY.get(part() or "", ())
        self._lab = Lab(settings=_plain(directory) if only else _settings(directory))
        self._said = directory / "said"
        remove_lab(PREFIX, BUILD_PROJECT)
        with self._said.open("w") as said:
            self._process = self._lab.begin(
                "build-images", *only, stdout=said, stderr=subprocess.STDOUT
            )

    def finish(self) -> Lab:
        """Wait until it is made; also fails again for who asks later."""
        self._process.wait(timeout=_PATIENCE)
        assert self._process.returncode == 0, self._said.read_text()
        return self._lab

    def said(self) -> str:
        """What the command said, once it is made."""
        return self._said.read_text()

    def undo(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=_PATIENCE)
        remove_lab(PREFIX, BUILD_PROJECT)


def _plain(directory: Path) -> Path:
    path = directory / "lab.yaml"
    path.write_text(json.dumps({"alias-prefix": PREFIX, "build-project": BUILD_PROJECT}))
    return path


def _settings(directory: Path) -> Path:
    for version in (OLD, NEW):
        make_debs(directory, version)
    packages = str(directory / "debs-{version}")
    driver = {"delivery": "image", "packages": packages, **for_any_host()}
    settings = {"alias-prefix": PREFIX, "build-project": BUILD_PROJECT, "driver": driver}
    path = directory / "lab.yaml"
    path.write_text(json.dumps(settings))
    return path
