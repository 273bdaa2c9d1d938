"""Where a driver's userland comes from: apt, a directory of .deb files, or NVIDIA's installer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from lab.download import fetched
from lab.errors import InputError
from lab.hardware.nvidia import DRIVER_VERSION
from lab.settings.driver import DriverSettings, RunSettings
from lab.urls import without_password

_HEADER_BYTES: Final = 64 * 1024
# The installer is a shell script with an archive behind it; both lines are in the script.
_RUN_VERSION: Final = re.compile(
    rf'^(?:version_string="?|targetdir="?NVIDIA-Linux-\w+-)({DRIVER_VERSION})\b'.encode(),
    re.MULTILINE,
)
_INSTALLER: Final = "`driver: {run: {file: NVIDIA-Linux-x86_64-%s.run}}` in lab.yaml"
_DIRECTORY: Final = "`driver: {packages: DIRECTORY}` with .deb files of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """The container's own apt, whatever names its archive has for the packages."""

    packages: tuple[str, ...] = ()
    """Instead of those that are chosen by what apt offers."""
    name: str = "the container's apt"

    def inputs(self) -> dict[str, str]:
        return {
            "driver from": "apt",
            **({"driver packages": _short(self.packages)} if self.packages else {}),
        }

    def files(self) -> Iterator[Path]:
        return iter(())

    def instead(self, version: str) -> str:
        return (
            f"Set {_INSTALLER % version}, or {_DIRECTORY};\n"
            "or install a driver version on the host that apt has, and correct "
            "`driver: {version: …}` if lab.yaml sets it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Debs:
    directory: Path

    @property
    def name(self) -> str:
        return str(self.directory)

    def inputs(self) -> dict[str, str]:
        return {
            "driver from": "packages",
            "driver packages": _short([(file.name, _sum(file)) for file in self.files()]),
        }

    def files(self) -> Iterator[Path]:
        return iter(sorted(self.directory.glob("*.deb")))

    def instead(self, version: str) -> str:
        return f"Put the .deb files of driver {version} there, or set {_INSTALLER % version}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """NVIDIA's installer; VERSION is what it has to hold."""

    settings: RunSettings
    version: str

    @property
    def name(self) -> str:
        return without_password(str(self.settings.url or self._file))

    def inputs(self) -> dict[str, str]:
        known = self.settings.sha256 or _sum(self._file)
        return {"driver from": "NVIDIA's installer", "driver installer": f"sha:{known[:12]}"}

    def files(self) -> Iterator[Path]:
        yield _checked(self.settings, self._file, self.version)

    def instead(self, version: str) -> str:
        return f"Name the installer of {version} under `driver: {{run: …}}` in lab.yaml."

    @property
    def is_missing(self) -> bool:
        return self.settings.file is not None and not self._file.is_file()

    @property
    def _file(self) -> Path:
        return _filled(self.settings.file, self.version) if self.settings.file else Path()


Origin: TypeAlias = Apt | Debs | Run


def origin_of(settings: DriverSettings, version: str) -> Origin:
    """InputError where SETTINGS name files that are not there."""
    if settings.packages is not None:
        directory = _filled(settings.packages, version)
        if not any(directory.glob("*.deb")):
            raise InputError(
                f"There is no .deb file of driver {version}.",
                details=f"The directory {directory} contains no .deb file.",
                fix="Set `driver: {packages: DIRECTORY}` in lab.yaml to a directory of .deb files.",
            )
        return Debs(directory=directory)
    if settings.run is not None:
        origin = Run(settings=settings.run, version=version)
        if origin.is_missing:
            raise InputError(
                f"The installer of driver {version} does not exist: {origin.name}",
                fix=origin.instead(version),
            )
        return origin
    branch = version.partition(".")[0]
    return Apt(packages=tuple(name.replace("{branch}", branch) for name in settings.apt_packages))


@cache
def _checked(settings: RunSettings, local: Path, version: str) -> Path:
    """The installer as a file of this machine, its sum and its version known to be right."""
    if settings.url is not None:
        file = fetched(settings.url, settings.sha256 or "")
    else:
        file = local
        if settings.sha256 and _sum(file) != settings.sha256:
            raise InputError(
                f"{file} has another checksum than the one in lab.yaml.",
                details=f"sha256 of the file: {_sum(file)}\nsha256 in lab.yaml: {settings.sha256}",
                fix="Download it again, or correct `driver: {run: {sha256: …}}` in lab.yaml.",
            )
    holds = run_version(file)
    if holds is not None and holds != version:
        raise InputError(
            f"{settings.url or file} installs driver {holds}, but {version} is needed.",
            fix=f"Name the installer of {version} under `driver: {{run: …}}` in lab.yaml.",
        )
    return file


def run_version(file: Path) -> str | None:
    """The version that NVIDIA's installer FILE says it holds; None where it does not say."""
    with file.open("rb") as opened:
        match = _RUN_VERSION.search(opened.read(_HEADER_BYTES))
    return match[1].decode() if match else None


def _filled(path: Path, version: str) -> Path:
    return Path(str(path).replace("{version}", version))


@cache
def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        digest = hashlib.sha256()
        while piece := opened.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()


def _short(value: object) -> str:
    said = json.dumps(value, separators=(",", ":"), default=str)
    return "sha:" + hashlib.sha256(said.encode()).hexdigest()[:12]
