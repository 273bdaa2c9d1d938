"""`driver:` in lab.yaml: which NVIDIA userland containers get, how, and where it comes from."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, model_validator

from lab.hardware.nvidia import DRIVER_VERSION
from lab.yaml.model import LocalPath, StrictModel, Url, value_error

_VERSION: Final = re.compile(DRIVER_VERSION, re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*(\{branch\}[a-z0-9+.-]*)?", re.ASCII)


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise value_error("must be a driver version such as 535.261.03")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise value_error("must be the 64 hexadecimal digits of a sha256 sum")
    return value


def _package(value: str) -> str:
    if not _PACKAGE.fullmatch(value):
        raise value_error(
            "must be the name of a package; {branch} in it stands for 535 of 535.261.03"
        )
    return value


class RunSettings(StrictModel):
    """NVIDIA's installer, `NVIDIA-Linux-x86_64-….run`: a file, or where to download it once."""

    file: LocalPath | None = None
    """`{version}` in it stands for the version that is wanted."""
    url: Url | None = None
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> RunSettings:
        if (self.file is None) == (self.url is None):
            raise value_error("needs either file or url")
        if self.url is not None and self.sha256 is None:
            raise value_error(
                "needs `sha256`, the checksum of the file at `url`: root runs it in every container"
            )
        return self


class DriverSettings(StrictModel):
    """NVIDIA's userland, at exactly the version of the host's kernel module."""

    delivery: Literal["auto", "image", "runtime", "cdi", "none"] = "auto"
    """`auto`: the best this host can do, see `lab.driver.delivery`."""
    version: Annotated[str, AfterValidator(_version)] | None = None
    """None: that of the host's kernel module."""
    packages: LocalPath | None = None
    """A directory of .deb files, all of which are installed; `{version}` stands for the version."""
    run: RunSettings | None = None
    apt_packages: tuple[Annotated[str, AfterValidator(_package)], ...] = ()
    """Instead of the packages that labstamp chooses from what the container's apt offers."""
    on_drift: Literal["refuse", "build"] = "refuse"
    """What `provision` does where the current release does not fit the host's module."""

    @model_validator(mode="after")
    def _one_origin(self) -> DriverSettings:
        given = [
            name
            for name, value in (
                ("packages", self.packages),
                ("run", self.run),
                ("apt-packages", self.apt_packages),
            )
            if value
        ]
        if len(given) > 1:
            raise value_error(f"{' and '.join(given)} exclude each other; keep one")
        return self
